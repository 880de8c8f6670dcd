/**
 * One client: its subscriptions and its queue.
 *
 * While its socket accepts bytes, messages are written at once; otherwise they wait in a bounded
 * queue. Of quotes and best levels only the newest message is kept, and a `skipped` message says
 * what was left out. All other messages wait. When the queue is full, the client is disconnected
 * and gets the cursors from which it can resume.
 */
import { ByteQueue } from './byte-queue.ts'
import type { CloseReason, LiveCounts } from './counts.ts'
import { CONFLATED } from './channels.ts'
import type { Fault, FaultCode } from './fault.ts'
import type { Followed, LiveStream, StreamListener } from './live-stream.ts'
import type { Outlet } from './outlet.ts'
import { headText, type Message, messageOf } from './wire.ts'

/** However many clients wait, each may have so many bytes in its queue. */
const QUEUE_BYTES_MIN = 64 * 1024
/** Quotes are skipped while more bytes than this wait. */
const CONFLATE_BYTES = 64 * 1024
/** How long a client may read its queue after we have closed its connection. */
const CLOSE_GRACE_MS = 10_000

/** The queues of all clients. */
export interface Queues {
  /** Clients whose sockets accept no bytes. */
  waiting_count: number
  /** Each of them may have an equal part. */
  readonly bytes_max: number
}

export interface SessionOptions {
  readonly epoch: string
  readonly outlet: Outlet
  readonly queue_bytes_max: number
  readonly queues: Queues
  readonly counts: LiveCounts
  onClosed(session: Session): void
}

/** The codes of RFC 6455, section 7.4. */
const CLOSE_CODES: { readonly [reason in CloseReason]: number } = {
  gone: 1000,
  answered: 1000,
  consumer_too_slow: 1013,
  draining: 1012,
  bad_client: 1008,
  message_too_large: 1009,
  failed: 1011,
}

/** A subscription, as the session sees it. */
export interface Follower {
  readonly stream: Followed
  /** Seq of the newest message that was written or queued. */
  readonly sent: number
  /** Sends what was left out while the client did not read. */
  catchUp(): void
  /** Stops listening. */
  end(): void
}

export class Subscription implements Follower, StreamListener {
  readonly stream: LiveStream
  /** Seq of the newest message that was written or queued. */
  sent: number
  is_live = false
  readonly #session: Session
  #left_out: { from: number; to: number; count: number } | undefined
  #newest: Message | undefined

  constructor(session: Session, stream: LiveStream, sent: number) {
    this.#session = session
    this.stream = stream
    this.sent = sent
  }

  takeNew(messages: readonly Message[], chunk: Buffer): void {
    // Some of these were sent from memory already.
    const is_known = messages[0]!.seq <= this.sent
    const fresh = is_known ? messages.filter(({ seq }) => seq > this.sent) : messages
    if (fresh.length === 0) return
    if (CONFLATED.has(this.stream.name.channel) && this.#session.is_behind) {
      return this.#leaveOut(fresh)
    }
    this.send(fresh, is_known ? undefined : chunk)
  }

  send(messages: readonly Message[], chunk?: Buffer): void {
    const bytes = this.#session.outlet.encode(this.stream.key, messages, chunk)
    if (this.#session.write(bytes)) this.sent = messages.at(-1)!.seq
  }

  /** Sends the newest of the skipped messages, and says which were skipped. */
  catchUp(): void {
    const [left_out, newest] = [this.#left_out, this.#newest]
    if (newest === undefined) return
    this.#left_out = undefined
    this.#newest = undefined
    const messages = left_out === undefined ? [newest] : [this.#skipped(left_out), newest]
    this.send(messages)
  }

  end(): void {
    this.stream.listeners.delete(this)
  }

  #leaveOut(messages: readonly Message[]): void {
    const dropped =
      this.#newest === undefined ? messages.slice(0, -1) : [this.#newest, ...messages.slice(0, -1)]
    this.#newest = messages.at(-1)!
    this.#session.noteSkipping(this)
    const [first] = dropped
    if (first === undefined) return
    const from = this.#left_out?.from ?? first.seq
    const count = (this.#left_out?.count ?? 0) + dropped.length
    this.#left_out = { from, to: dropped.at(-1)!.seq, count }
    this.#session.counts.skipped += dropped.length
  }

  #skipped({ from, to, count }: { from: number; to: number; count: number }): Message {
    const head = headText('skipped', this.stream.name, this.#session.epoch, to)
    return messageOf(to, `${head},"skipped":{"from":${from},"to":${to},"count":${count}}}`)
  }
}

export class Session {
  readonly epoch: string
  readonly outlet: Outlet
  readonly counts: LiveCounts
  readonly subscriptions = new Map<string, Follower>()
  readonly #options: SessionOptions
  readonly #queue = new ByteQueue()
  /** True while the socket has not accepted the last write. */
  #waits = false
  #skipping = new Set<Follower>()
  #drained: (() => void)[] = []
  #closing: CloseReason | undefined
  #is_closed = false
  #grace: NodeJS.Timeout | undefined

  constructor(options: SessionOptions) {
    this.#options = options
    this.epoch = options.epoch
    this.outlet = options.outlet
    this.counts = options.counts
    options.outlet.onDrain(() => this.#drain())
  }

  get is_open(): boolean {
    return this.#closing === undefined && !this.#is_closed
  }

  get is_behind(): boolean {
    return this.#waits && this.waiting_bytes > CONFLATE_BYTES
  }

  /** Its socket accepts nothing now. */
  get waits(): boolean {
    return this.#waits && this.is_open
  }

  get waiting_bytes(): number {
    return this.#queue.byte_count + this.outlet.pending_bytes
  }

  noteSkipping(subscription: Follower): void {
    this.#skipping.add(subscription)
  }

  /**
   * Writes the bytes or queues them. If the queue would grow too large, it drops them, disconnects
   * the client and returns false.
   */
  write(bytes: Buffer): boolean {
    if (!this.is_open) return false
    if (this.#waits && this.waiting_bytes + bytes.length > this.#bytesMax()) {
      this.close('consumer_too_slow')
      return false
    }
    if (this.#waits) this.#queue.push(bytes)
    else this.#pass(bytes)
    return true
  }

  say(text: string): void {
    this.write(this.outlet.encodeOther(text))
  }

  /** Says why a subscription ends, or does not begin. */
  refuse(subscription: Follower, { code, message }: Fault): void {
    subscription.end()
    const { key, name } = subscription.stream
    this.subscriptions.delete(key)
    this.counts.faults[code] = (this.counts.faults[code] ?? 0) + 1
    this.say(JSON.stringify({ type: 'error', code, message, ...name }))
  }

  /**
   * Resolves when the queue is empty or the client is gone. Look at `waits` again then: others that
   * waited too may have sent something.
   */
  async drained(): Promise<void> {
    if (!this.waits) return
    await new Promise<void>((resolve) => this.#drained.push(resolve))
  }

  /**
   * Queues the reason with the cursors to resume from, then ends the connection after the queue.
   */
  close(reason: CloseReason, message?: string, fault?: FaultCode): void {
    if (!this.is_open) return
    this.counts.closes[reason]++
    for (const subscription of this.subscriptions.values()) subscription.end()
    const code = fault ?? reason
    const text = message ?? CLOSE_TEXTS[reason]
    if (text !== undefined) {
      const bytes = this.outlet.encodeOther(
        JSON.stringify({ type: 'closing', code, message: text, resume: this.cursors() }),
      )
      if (this.#waits) this.#queue.push(bytes)
      else this.#pass(bytes)
    }
    this.#closing = reason
    this.#grace = setTimeout(() => this.outlet.destroy(), CLOSE_GRACE_MS)
    for (const resolve of this.#drained.splice(0)) resolve()
    if (!this.#waits) this.#end()
  }

  /** The connection has ended. */
  noteClosed(): void {
    if (this.#is_closed) return
    if (this.is_open) this.counts.closes.gone++
    this.#is_closed = true
    clearTimeout(this.#grace)
    for (const subscription of this.subscriptions.values()) subscription.end()
    this.subscriptions.clear()
    this.#queue.clear()
    this.#setWaits(false)
    for (const resolve of this.#drained.splice(0)) resolve()
    this.#options.onClosed(this)
  }

  /** The cursors from which the client can resume its streams. */
  cursors(): readonly object[] {
    return [...this.subscriptions.values()].map(({ stream, sent }) => ({
      ...stream.name,
      epoch: this.epoch,
      seq: sent,
    }))
  }

  /** The more clients wait, the less may wait for each. */
  #bytesMax(): number {
    const { queue_bytes_max, queues } = this.#options
    const part = queues.bytes_max / queues.waiting_count
    return Math.min(queue_bytes_max, Math.max(QUEUE_BYTES_MIN, part))
  }

  #setWaits(waits: boolean): void {
    if (waits === this.#waits) return
    this.#waits = waits
    this.#options.queues.waiting_count += waits ? 1 : -1
  }

  #pass(bytes: Buffer): void {
    this.counts.sent_bytes += bytes.length
    if (!this.outlet.write(bytes)) this.#setWaits(true)
  }

  #drain(): void {
    if (this.#is_closed) return
    this.#setWaits(false)
    while (!this.#waits) {
      const bytes = this.#queue.shift()
      if (bytes === undefined) break
      this.#pass(bytes)
    }
    if (this.#waits) return
    if (this.#closing !== undefined) return this.#end()
    for (const subscription of this.#skipping) {
      this.#skipping.delete(subscription)
      subscription.catchUp()
      if (this.#waits) return
    }
    for (const resolve of this.#drained.splice(0)) resolve()
  }

  #end(): void {
    const reason = this.#closing!
    this.outlet.close(CLOSE_CODES[reason], reason)
  }
}

const CLOSE_TEXTS: { readonly [reason in CloseReason]?: string } = {
  consumer_too_slow: 'Messages arrived faster than they were read. Resume from these cursors.',
  draining: 'The server is shutting down. Resume from these cursors.',
}
