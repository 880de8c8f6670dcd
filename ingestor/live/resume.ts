/**
 * Begins a subscription: sends the missed messages in order, then connects the client to the
 * stream. Messages that have left memory are read from history first. New messages arrive
 * meanwhile, so the client is connected only after it has all of them: it misses none and gets none
 * twice.
 */
import type { Micros } from '#core/time.ts'
import { CONFLATED } from './channels.ts'
import type { BarSubscription } from './clusters/bar-subscription.ts'
import { beginBars } from './clusters/begin-bars.ts'
import type { ReadBars } from './clusters/engine.ts'
import type { LiveCounts, ResumeSource } from './counts.ts'
import type { Cursor } from './cursor.ts'
import { Fault } from './fault.ts'
import type { History, PastMessage } from './history/history.ts'
import type { LiveBook } from './live-book.ts'
import type { DroppedRecord, Followed, LiveStream } from './live-stream.ts'
import type { Session, Subscription } from './session.ts'
import type { ListedSymbol } from './symbol-list.ts'
import { headText, type Message, messageOf } from './wire.ts'

export interface ResumerOptions {
  readonly epoch: string
  /** The beginning of the numbering; no message is older. */
  readonly epoch_began_at: number
  readonly history: History
  /** Throws if the records are gone. */
  readTape(stream: LiveStream, dropped: readonly DroppedRecord[]): Promise<readonly PastMessage[]>
  readonly resume_us_max: number
  readonly counts: LiveCounts
  readonly now: () => Micros
  bookOf(stream: LiveStream): LiveBook | undefined
  /** Undefined: there is no cluster engine, and so no subscription to bars. */
  readonly readBars: ReadBars | undefined
}

/** Missed messages that are written at once: few, because they count in the client's queue. */
const BATCH_COUNT = 50
/** How far before a cursor Postgres is asked for the update of a book that comes before it. */
const UPDATE_BEFORE_US = 60_000_000
/** A cursor may be ahead of our clock by this much. */
const AHEAD_US = 1_000_000

/** Seq of the update before the next one of a book; null: not known; undefined: not looked up. */
interface UpdateBefore {
  seq: number | null | undefined
}

export class Resumer {
  readonly #options: ResumerOptions

  constructor(options: ResumerOptions) {
    this.#options = options
  }

  /** Throws a Fault if the messages after the cursor are not available. */
  check(stream: Followed, { epoch, seq }: Cursor): void {
    const { epoch_began_at, resume_us_max, now } = this.#options
    if (epoch !== this.#options.epoch) {
      throw new Fault('outdated_cursor', 'The cursor is of another epoch. Begin again without it.')
    }
    const newest = stream.newest_seq
    // Signals have the numbers of their table.
    const is_numbered = stream.name.channel === 'signals'
    if (seq > newest && (is_numbered || seq > now() + AHEAD_US)) {
      throw new Fault('future_cursor', `No message has seq ${seq} yet; the newest has ${newest}.`)
    }
    // History knows whether a signal has left the table.
    if (seq >= stream.floor || is_numbered) return
    const oldest = Math.max(epoch_began_at, now() - resume_us_max)
    if (seq >= oldest) return
    throw new Fault(
      'outdated_cursor',
      `The oldest seq that can be resumed is ${Math.ceil(oldest)}.`,
    )
  }

  /**
   * Connects the subscription to its stream. With a cursor, it first sends the messages after it.
   * Never rejects: after a failure it sends the error to the client and ends the connection.
   */
  async begin(
    session: Session,
    subscription: Subscription,
    listed: ListedSymbol,
    cursor: Cursor | undefined,
  ): Promise<void> {
    const { stream } = subscription
    if (cursor === undefined) {
      // A whole book is large: many at once would be more than a queue may hold.
      if (stream.name.channel === 'book') {
        while (session.waits) await session.drained()
        if (!isWanted(session, subscription)) return
        subscription.sent = stream.newest_seq
      }
      this.#sayBegun(session, stream, subscription.sent, null, 'none')
      this.#follow(subscription)
      return this.#sendState(subscription)
    }
    const source = this.#sourceOf(stream, cursor)
    const is_state = stream.name.channel === 'topn'
    this.#options.counts.resumes[source]++
    this.#sayBegun(session, stream, cursor.seq, !(is_state && source !== 'memory'), source)
    if (is_state && source !== 'memory') {
      subscription.sent = stream.newest_seq
      this.#follow(subscription)
      return this.#sendState(subscription)
    }
    try {
      await this.#sendMissed(session, subscription, listed)
    } catch (error) {
      const fault = error instanceof Fault ? error : undefined
      const message = fault?.message ?? 'The rows since then cannot be read now.'
      session.close('failed', message, fault?.code ?? 'history_unavailable')
    }
  }

  /** The same for footprint bars, which the cluster engine computes. */
  async beginBars(
    session: Session,
    subscription: BarSubscription,
    cursor: Cursor | undefined,
  ): Promise<void> {
    const { readBars, now, counts } = this.#options
    const { stream } = subscription
    await beginBars(session, subscription, cursor, {
      readBars: readBars!,
      now,
      sayBegun: (seq, recovered, source) => this.#sayBegun(session, stream, seq, recovered, source),
      noteResume: (source) => void counts.resumes[source]++,
    })
  }

  async #sendMissed(
    session: Session,
    subscription: Subscription,
    listed: ListedSymbol,
  ): Promise<void> {
    const { stream } = subscription
    let is_past = false
    let has_tape = true
    const before: UpdateBefore = { seq: undefined }
    for (;;) {
      while (session.waits) await session.drained()
      if (!isWanted(session, subscription)) return
      if (subscription.sent < stream.floor) {
        is_past = true
        if (has_tape && (await this.#sendFromTape(session, subscription, before))) continue
        has_tape = false
        await this.#sendPast(session, subscription, listed, before)
        continue
      }
      const missed = stream.after(subscription.sent, BATCH_COUNT)
      if (missed.length === 0) break
      subscription.send(missed)
    }
    this.#follow(subscription)
    // Updates of the past carry no book.
    if (is_past && stream.name.channel === 'book') this.#sendState(subscription)
  }

  /** Sends the next messages that left memory. False if the tape does not have them. */
  async #sendFromTape(
    session: Session,
    subscription: Subscription,
    before: UpdateBefore,
  ): Promise<boolean> {
    const { stream, sent } = subscription
    if (sent < stream.tape_floor) return false
    const dropped = stream.recordsAfter(sent, BATCH_COUNT)
    if (dropped.length === 0) return false
    if (before.seq === undefined) before.seq = stream.updateUntil(sent)
    try {
      const messages = (await this.#options.readTape(stream, dropped)).map((past) =>
        this.#pastMessage(stream, past, before),
      )
      while (session.waits) await session.drained()
      if (messages.length > 0) subscription.send(messages)
      // Messages with a new book and no update have no part in history.
      subscription.sent = Math.max(subscription.sent, dropped.at(-1)!.seq)
      return true
    } catch {
      // They are in Postgres.
      return false
    }
  }

  /** Sends messages from history, up to the oldest one in memory. */
  async #sendPast(
    session: Session,
    subscription: Subscription,
    listed: ListedSymbol,
    before: UpdateBefore,
  ): Promise<void> {
    const { stream } = subscription
    const { channel } = stream.name
    const { sent } = subscription
    const to = stream.floor
    const { exchange, symbol, id: symbol_id } = listed
    if (symbol_id === undefined) {
      throw new Fault('history_unavailable', 'The database does not know this symbol yet.')
    }
    const place = { exchange, symbol, symbol_id, channel }
    const is_first_of_book = channel === 'book' && typeof before.seq !== 'number'
    const after = is_first_of_book ? Math.max(0, sent - UPDATE_BEFORE_US) : sent
    const wanted = { ...place, after, to, decimals: stream.decimals }
    for await (const page of this.#options.history.read(wanted)) {
      while (session.waits) await session.drained()
      if (!isWanted(session, subscription)) return
      const known = page.findLast(({ seq }) => seq <= sent)
      if (known !== undefined) before.seq = known.seq
      const messages = page
        .filter(({ seq }) => seq > sent)
        .map((past) => this.#pastMessage(stream, past, before))
      for (let at = 0; at < messages.length; at += BATCH_COUNT) {
        while (session.waits) await session.drained()
        if (!isWanted(session, subscription)) return
        subscription.send(messages.slice(at, at + BATCH_COUNT))
      }
    }
    subscription.sent = Math.max(subscription.sent, to)
  }

  #pastMessage(stream: LiveStream, { seq, rows }: PastMessage, before: UpdateBefore): Message {
    const { epoch } = this.#options
    const prev_seq = before.seq ?? null
    before.seq = seq
    if (stream.name.channel === 'book') {
      return this.#options.bookOf(stream)!.pastUpdate(seq, prev_seq, rows.join(','))
    }
    const head = headText('rows', stream.name, epoch, seq)
    return messageOf(seq, `${head},"rows":[${rows.join(',')}]}`)
  }

  #follow(subscription: Subscription): void {
    subscription.is_live = true
    subscription.stream.listeners.add(subscription)
  }

  /** The whole book, or the newest message of a stream whose older ones do not matter. */
  #sendState(subscription: Subscription): void {
    const { stream } = subscription
    const { channel } = stream.name
    const book = this.#options.bookOf(stream)
    const seq = Math.max(subscription.sent, stream.last)
    if (channel === 'book' && book !== undefined) {
      subscription.send([book.whole(seq, stream.decimals)])
    } else if (channel === 'topn') {
      const top = book?.top(seq, stream.decimals)
      if (top !== undefined) subscription.send([top])
    } else if (CONFLATED.has(channel) && stream.newest !== undefined) {
      subscription.send([stream.newest])
    }
  }

  #sourceOf(stream: LiveStream, { seq }: Cursor): ResumeSource {
    if (seq >= stream.floor) return 'memory'
    const is_on_tape = seq >= stream.tape_floor && stream.recordsAfter(seq, 1).length > 0
    return is_on_tape ? 'tape' : 'database'
  }

  #sayBegun(
    session: Session,
    stream: Followed,
    seq: number,
    recovered: boolean | null,
    source: ResumeSource,
  ): void {
    const head = headText('subscribed', stream.name, this.#options.epoch, seq)
    const from = source === 'none' ? null : `"${source}"`
    session.say(`${head},"recovered":${recovered},"source":${from}}`)
  }
}

/** False if the client has gone, or has given the stream up. */
function isWanted(session: Session, subscription: Subscription): boolean {
  return session.is_open && session.subscriptions.get(subscription.stream.key) === subscription
}
