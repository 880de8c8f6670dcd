/**
 * Topics and their subscribers. A source publishes a frame once; the hub applies the faults, sends
 * the frame to the subscribed sockets and keeps the ledger. It knows neither how frames are made
 * nor how sockets are opened.
 */
import type { Logger } from '#core/node/log.ts'
import type { FaultDesk, Verdict } from '../faults/desk.ts'
import { StreamAccount, type Ledger, type UndeliveredCause } from '../ledger.ts'
import type { TruthLog } from '../truth-log.ts'
import type { Outbox } from './outbox.ts'
import { inMicroseconds } from './time-unit.ts'

export interface Topic {
  readonly stream: string
  /** Text before the payload on a combined socket. */
  readonly prefix: string
  readonly clients: Set<Client>
  /** A client has subscribed and not unsubscribed: a frame that cannot be delivered is a loss. */
  intended: boolean
  readonly account: StreamAccount
}

/** A socket as the hub sees it. */
export interface Client {
  /** True on /stream: frames carry their stream's name. */
  readonly combined: boolean
  readonly outbox: Outbox
  /** The client requested times in microseconds. */
  readonly in_microseconds: boolean
  /** The shutdown notice with `event`; undefined if the protocol has none. */
  shutdownFrame(event: string): string | undefined
  isOpen(): boolean
  /** Resolves when the client has read everything sent until now, or is gone. */
  echo(): Promise<void>
  /** Ends the connection without a close frame. */
  terminate(): void
}

export interface Frame {
  /** The id for the ledger. */
  readonly id: number
  readonly ts_ms: number
  readonly payload: string
  /** The frame for combined sockets, if it differs from prefix + payload + `}`. */
  readonly combined: string | undefined
}

/** What to do with a socket that reads too slowly: Binance cuts it, a replay waits. */
export interface SlowClientRule {
  readonly kind: 'cut' | 'wait'
  readonly limit_bytes: number
}

/** Maximum number of frames of one stream that wait behind a delayed one. */
const DELAYED_FRAMES_MAX = 10_000

interface Delayed {
  readonly frame: Frame
  readonly due: number
}

export class Hub {
  readonly clients = new Set<Client>()
  readonly #topics: Topic[] = []
  readonly #delayed = new Map<Topic, Delayed[]>()
  readonly #faults: FaultDesk
  readonly #slow: SlowClientRule
  readonly #log: Logger
  readonly #truth: TruthLog | undefined
  #published_count = 0
  #unroutable_count = 0
  #unroutable_sent_count = 0

  constructor(faults: FaultDesk, slow: SlowClientRule, log: Logger, truth?: TruthLog) {
    this.#faults = faults
    this.#slow = slow
    this.#log = log
    this.#truth = truth
  }

  createTopic(stream: string): Topic {
    const account = new StreamAccount(stream)
    const prefix = `{"stream":${JSON.stringify(stream)},"data":`
    const topic: Topic = { stream, prefix, clients: new Set(), intended: false, account }
    this.#topics.push(topic)
    return topic
  }

  /** Frames published by the source, whatever their outcome. */
  get published_count(): number {
    return this.#published_count
  }

  /** False if nothing would use the payload. */
  wantsPayload(topic: Topic): boolean {
    return topic.clients.size > 0 || (this.#truth !== undefined && topic.intended)
  }

  /** The hot path. `id` and `ts_ms` are for the ledger; see Frame for `combined`. */
  publish(topic: Topic, id: number, ts_ms: number, payload: string, combined?: string): void {
    this.#published_count += 1
    if (topic.clients.size === 0) {
      if (topic.intended) this.#noteUndelivered(topic, { id, ts_ms, payload }, 'no_socket')
      else topic.account.notSubscribed()
    } else if (this.#faults.active || this.#delayed.size > 0) {
      this.#judge(topic, { id, ts_ms, payload, combined })
    } else {
      send(topic, payload, combined)
      this.#noteSent(topic, { id, ts_ms, payload })
    }
  }

  /** A frame of no stream goes to one socket, as it was received on one. */
  publishUnroutable(text: string): void {
    this.#published_count += 1
    this.#unroutable_count += 1
    for (const client of this.clients) {
      if (!client.isOpen()) continue
      client.outbox.text(text)
      this.#unroutable_sent_count += 1
      return
    }
  }

  /** Writes published frames to the sockets. The source calls it at the end of each tick. */
  flush(): void {
    if (this.#delayed.size > 0) this.#releaseDue(performance.now())
    this.#truth?.flush()
    for (const client of this.clients) {
      if (!client.isOpen()) continue
      client.outbox.flush()
      const { waiting_bytes } = client.outbox
      if (this.#slow.kind === 'wait' || waiting_bytes <= this.#slow.limit_bytes) continue
      this.#log.warn(
        { code: 'slow_client', waiting_bytes },
        'A client reads too slowly; disconnecting it.',
      )
      client.terminate()
    }
  }

  /** If slow clients are waited for: resolves once every socket has room. */
  async room(): Promise<void> {
    if (this.#slow.kind === 'cut') return
    for (const client of this.clients) await client.outbox.drained(this.#slow.limit_bytes)
  }

  /** Resolves when every published frame is written, delayed and buffered ones included. */
  async empty(): Promise<void> {
    this.#releaseDue(Number.POSITIVE_INFINITY)
    this.flush()
    await Promise.all([...this.clients].map((client) => client.outbox.drained()))
  }

  /** Resolves when every client has read everything sent until now, or is gone. */
  async settled(): Promise<void> {
    await Promise.all([...this.clients].map((client) => client.echo()))
  }

  /** The ledger without REST responses. */
  ledger(): Omit<Ledger, 'snapshots'> {
    return {
      streams: this.#topics.map((topic) => topic.account.report()),
      unroutable_count: this.#unroutable_count,
      unroutable_sent_count: this.#unroutable_sent_count,
    }
  }

  #judge(topic: Topic, frame: Frame): void {
    const queue = this.#delayed.get(topic)
    // A stream keeps its order: frames queue behind a delayed one.
    if (queue !== undefined && queue.length < DELAYED_FRAMES_MAX) {
      queue.push({ frame, due: 0 })
      return
    }
    if (queue !== undefined) this.#release(topic, queue, Number.POSITIVE_INFINITY)
    const verdict = this.#faults.judge(topic, frame)
    if (verdict.kind === 'delay') {
      this.#delayed.set(topic, [{ frame, due: performance.now() + verdict.delay_ms }])
    } else {
      this.#execute(topic, frame, verdict)
    }
  }

  #execute(topic: Topic, frame: Frame, verdict: Exclude<Verdict, { kind: 'delay' }>): void {
    const { payload, combined } = frame
    const { account, clients } = topic
    switch (verdict.kind) {
      case 'withhold':
        return this.#noteUndelivered(topic, frame, verdict.cause)
      case 'replace':
        send(topic, verdict.payload, undefined)
        return this.#noteUndelivered(topic, frame, verdict.cause)
      case 'cut':
        this.#noteUndelivered(topic, frame, 'cut')
        for (const client of clients) {
          client.outbox.cut(client.combined ? (combined ?? `${topic.prefix}${payload}}`) : payload)
          client.terminate()
        }
        return
      case 'alter':
        send(topic, verdict.payload, undefined)
        return this.#noteSent(topic, frame)
      case 'duplicate':
        send(topic, payload, combined)
        account.copiedAgain(clients.size)
        break
      case 'inject':
        for (const client of clients) client.outbox.bytes(verdict.bytes)
        break
      case 'send':
    }
    send(topic, payload, combined)
    this.#noteSent(topic, frame)
  }

  #noteSent(topic: Topic, { id, ts_ms, payload }: Omit<Frame, 'combined'>): void {
    topic.account.sent(id, topic.clients.size)
    this.#truth?.note('sent', topic.stream, id, ts_ms, payload)
  }

  #noteUndelivered(
    topic: Topic,
    { id, ts_ms, payload }: Omit<Frame, 'combined'>,
    cause: UndeliveredCause,
  ): void {
    topic.account.undelivered(id, ts_ms, cause)
    this.#truth?.note(cause, topic.stream, id, ts_ms, payload)
  }

  #releaseDue(now: number): void {
    for (const [topic, queue] of this.#delayed) this.#release(topic, queue, now)
  }

  #release(topic: Topic, queue: Delayed[], now: number): void {
    let count = 0
    while (count < queue.length && queue[count]!.due <= now) {
      const { frame } = queue[count]!
      count += 1
      if (topic.clients.size === 0) this.#noteUndelivered(topic, frame, 'no_socket')
      else this.#execute(topic, frame, { kind: 'send' })
    }
    if (count === queue.length) this.#delayed.delete(topic)
    else queue.splice(0, count)
  }
}

function send(topic: Topic, payload: string, combined: string | undefined): void {
  for (const client of topic.clients) {
    const text = client.combined ? (combined ?? `${topic.prefix}${payload}}`) : payload
    client.outbox.text(client.in_microseconds ? inMicroseconds(text) : text)
  }
}
