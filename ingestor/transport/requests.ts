/**
 * SUBSCRIBE and UNSUBSCRIBE over one socket: in batches, no faster than the exchange allows, each
 * waiting for its acknowledgement. A refused batch is halved and sent again, down to the single
 * stream that the exchange refuses, so one wrong name costs one stream. The exchange may answer
 * that a repeated stream is already subscribed, which counts as an acknowledgement. A repeated
 * request without an answer counts as refused, because the socket's other streams still work.
 */
import type { Control, ExchangeAdapter } from '../exchanges/adapter.ts'
import type { Timers } from './timers.ts'

export type Method = 'subscribe' | 'unsubscribe'

export interface RequestsOptions {
  readonly adapter: ExchangeAdapter
  readonly timers: Timers
  readonly ack_timeout_ms: number
  send(text: string): void
  /** Subscriptions only. */
  onAcknowledged(streams: readonly string[]): void
  /** Subscriptions only: the exchange refused this one stream. */
  onRefused(stream: string, detail: string): void
  onTimeout(method: Method): void
}

export interface Requests {
  /** True if nothing is waiting to be sent or answered. */
  readonly is_idle: boolean
  add(method: Method, streams: readonly string[]): void
  /** Subscribes to streams that were refused before. */
  repeat(streams: readonly string[]): void
  /** The socket is open: start sending. */
  start(): void
  answer(control: Extract<Control, { kind: 'ack' | 'refused' }>): void
  tick(elapsed_ms: number): void
  stop(): void
}

interface Request {
  readonly method: Method
  readonly streams: readonly string[]
  readonly is_repeated: boolean
}

interface Sent extends Request {
  age_ms: number
}

type Refusal = Extract<Control, { kind: 'refused' }>

export function createRequests(options: RequestsOptions): Requests {
  const { adapter, timers } = options
  const { messages_per_second_max, streams_per_subscribe_max } = adapter.limits
  // Half of the allowance. The other half is for pings, pongs and clock differences.
  const pause_ms = 2_000 / messages_per_second_max
  const waiting: Request[] = []
  const sent = new Map<number, Sent>()
  let next_id = 1
  let is_started = false
  let cancelPause: (() => void) | undefined

  const sendNext = (): void => {
    cancelPause = undefined
    const request = waiting.shift()
    if (request === undefined) return
    const id = next_id++
    sent.set(id, { ...request, age_ms: 0 })
    cancelPause = timers.after(pause_ms, sendNext)
    options.send(
      request.method === 'subscribe'
        ? adapter.subscribeFrame(id, request.streams)
        : adapter.unsubscribeFrame(id, request.streams),
    )
  }
  const wake = (): void => {
    if (is_started && cancelPause === undefined) sendNext()
  }
  const refuse = (request: Request, { detail, is_held }: Refusal): void => {
    const { method, is_repeated } = request
    if (method === 'unsubscribe') return
    const [only, ...others] = request.streams
    if (others.length === 0) {
      return is_held === true ? acknowledge([only!]) : options.onRefused(only!, detail)
    }
    const middle = request.streams.length >> 1
    const halves = [request.streams.slice(0, middle), request.streams.slice(middle)]
    waiting.unshift(...halves.map((streams) => ({ method, streams, is_repeated })))
    wake()
  }

  const acknowledge = (asked: readonly string[], accepted: readonly string[] = asked): void => {
    options.onAcknowledged(asked.filter((stream) => accepted.includes(stream)))
    for (const stream of asked) {
      if (!accepted.includes(stream)) options.onRefused(stream, 'left out of the acknowledgement')
    }
  }

  const add = (method: Method, streams: readonly string[], is_repeated: boolean): void => {
    for (let at = 0; at < streams.length; at += streams_per_subscribe_max) {
      const batch = streams.slice(at, at + streams_per_subscribe_max)
      waiting.push({ method, streams: batch, is_repeated })
    }
    wake()
  }

  return {
    get is_idle() {
      return waiting.length === 0 && sent.size === 0
    },
    add: (method, streams) => add(method, streams, false),
    repeat: (streams) => add('subscribe', streams, true),
    start() {
      is_started = true
      wake()
    },
    answer(control) {
      const request = control.id === undefined ? undefined : sent.get(control.id)
      if (control.id === undefined || request === undefined) return
      sent.delete(control.id)
      if (control.kind === 'refused') refuse(request, control)
      else if (request.method === 'subscribe') acknowledge(request.streams, control.accepted)
    },
    tick(elapsed_ms) {
      for (const [id, request] of sent) {
        request.age_ms += elapsed_ms
        if (request.age_ms <= options.ack_timeout_ms) continue
        if (!request.is_repeated) return options.onTimeout(request.method)
        sent.delete(id)
        for (const stream of request.streams) options.onRefused(stream, 'no answer')
      }
    },
    stop() {
      is_started = false
      cancelPause?.()
      waiting.length = 0
      sent.clear()
    },
  }
}
