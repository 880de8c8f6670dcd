/**
 * Topics and who listens to them: a source publishes a frame once, the hub hands it to the
 * sockets that asked for it, lets the faults interfere, and keeps the ledger. It knows neither
 * how frames are made nor how a socket is opened.
 */
import type { Logger } from '#core/node/log.ts'
import type { FaultDesk, Verdict } from '../faults/desk.ts'
import { StreamAccount, type Ledger, type UndeliveredCause } from '../ledger.ts'
import type { TruthLog } from '../truth-log.ts'
import type { Outbox } from './outbox.ts'
import { inMicroseconds } from './time-unit.ts'

export interface Topic {
  readonly stream: string
  /** What stands before the payload on a combined socket. */
  readonly prefix: string
  readonly clients: Set<Client>
  /** Somebody asked for it and has not unsubscribed: what cannot be delivered is a loss. */
  intended: boolean
  readonly account: StreamAccount
}

/** A socket as the hub sees it. */
export interface Client {
  /** True on /stream: frames carry their stream's name. */
  readonly combined: boolean
  readonly outbox: Outbox
  /** It asked for times in microseconds. */
  readonly in_microseconds: boolean
  /** The goodbye around `event`, where the protocol has one. */
  shutdownFrame(event: string): string | undefined
  isOpen(): boolean
  /** Settles when the client has read everything sent so far, or is gone. */
  echo(): Promise<void>
  /** Ends the connection without a goodbye. */
  terminate(): void
}

export interface Frame {
  /** The id that the ledger counts by. */
  readonly id: number
  readonly ts_ms: number
  readonly payload: string
  /** The whole frame for combined sockets where it is not prefix, payload and a brace. */
  readonly combined: string | undefined
}

/** What happens to a socket that does not read fast enough: Binance cuts it, a replay waits. */
export interface SlowClientRule {
  readonly kind: 'cut' | 'wait'
  readonly limit_bytes: number
}

/** Frames of one stream that may wait behind a delayed one. */
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

  /** Frames that sources gave us, whatever became of them. */
  get published_count(): number {
    return this.#published_count
  }

  /** False where making a payload would be in vain. */
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

  /** A frame of no stream goes to one socket, as it once came on one. */
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

  /** Writes out what was published. Called by the source at the end of each tick. */
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
        'A client reads too slowly; cutting it.',
      )
      client.terminate()
    }
  }

  /** Where slow clients are waited for: settles once every socket has room. */
  async room(): Promise<void> {
    if (this.#slow.kind === 'cut') return
    for (const client of this.clients) await client.outbox.drained(this.#slow.limit_bytes)
  }

  /** Settles when nothing published waits here any more: delayed frames and buffers included. */
  async empty(): Promise<void> {
    this.#releaseDue(Number.POSITIVE_INFINITY)
    this.flush()
    await Promise.all([...this.clients].map((client) => client.outbox.drained()))
  }

  /** Settles when every client has read everything sent so far, or is gone. */
  async settled(): Promise<void> {
    await Promise.all([...this.clients].map((client) => client.echo()))
  }

  /** What was sent; of REST answers it knows nothing. */
  ledger(): Omit<Ledger, 'snapshots'> {
    return {
      streams: this.#topics.map((topic) => topic.account.report()),
      unroutable_count: this.#unroutable_count,
      unroutable_sent_count: this.#unroutable_sent_count,
    }
  }

  #judge(topic: Topic, frame: Frame): void {
    const queue = this.#delayed.get(topic)
    // Within a stream the order is kept: frames queue up behind a delayed one.
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
      case 'spoil':
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
