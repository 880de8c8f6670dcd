/**
 * Turns records of the tapes into messages: drops rows that were seen before, numbers the others,
 * and encodes each one once.
 *
 * If several tapes hold a stream, their rows are merged by the time of receipt. Each row waits
 * HOLD_US, so the copy with the earliest stamp wins, in whatever order the tapes are read. The rows
 * of other streams do not wait.
 */
import { channelOf, type DepthEvent, type Gap, type Trade } from '#core/market.ts'
import type { Exchange } from '#core/symbols.ts'
import type { RawChannel } from '#core/tables.ts'
import { timeSourceOf } from '#core/time-source.ts'
import type { StoredEvent } from '../writer/copy-encoder.ts'
import { FED_BY, type LiveChannel, type StreamName } from './channels.ts'
import { KnownRows, MissingIds } from './known-rows.ts'
import { LiveBook } from './live-book.ts'
import type { LiveStream } from './live-stream.ts'
import type { RecordPlace } from './message-index.ts'
import { compareKeys, gapText, rowKey, rowText } from './rows.ts'
import type { Streams } from './streams.ts'
import type { Received } from './tape-feed.ts'
import { headText, messageOf } from './wire.ts'

/** Longer than an ingestor's event loop takes from stamping a frame to writing it. */
export const HOLD_US = 100_000

/** The intake's state of one stream, besides its messages. */
interface Fed {
  readonly stream: LiveStream
  readonly known: KnownRows
  readonly missing: MissingIds
  readonly book: LiveBook | undefined
  readonly topn: LiveStream | undefined
  /** Numbers of the tapes that hold this stream. */
  readonly tapes: Set<number>
  /** Rows that wait, ordered by stamp. */
  held: Part[]
}

/** The rows of one record that belong to one stream. */
interface Part {
  readonly tape: number
  readonly received: Received
  readonly channel: RawChannel
  readonly events: readonly StoredEvent[]
}

export class Intake {
  readonly #streams: Streams
  readonly #epoch: string
  /** By channel and symbol, one per exchange that lists it: looked up for every row. */
  readonly #fed = new Map<LiveChannel, Map<string, Fed[]>>()
  readonly #holding = new Set<Fed>()
  /** True until every tape is read to its end: any stream may still appear on a second tape. */
  holds_all: boolean

  constructor(streams: Streams, epoch: string, tape_count: number) {
    this.#streams = streams
    this.#epoch = epoch
    this.holds_all = tape_count > 1
  }

  /** Ids of missing trades: in gaps that are open now, or were when memory begins. */
  missing(exchange: string, symbol: string): MissingIds {
    return this.#feed({ channel: 'trades', exchange, symbol }).missing
  }

  book(stream: LiveStream): LiveBook | undefined {
    const { channel, exchange, symbol } = stream.name
    if (channel !== 'book' && channel !== 'topn') return undefined
    return this.#feed({ channel: 'book', exchange, symbol }).book
  }

  take(tape: number, received: Received): void {
    for (const gap of received.gaps) this.#takeGap(gap)
    const { events } = received
    const [first] = events
    if (first === undefined) return
    const is_one = events.every(
      ({ kind, symbol }) => kind === first.kind && symbol === first.symbol,
    )
    for (const part of is_one ? [events] : grouped(events)) this.#takePart(tape, received, part)
  }

  /** Takes the waiting rows that were received up to `stamp`. */
  release(stamp: number): void {
    for (const fed of this.#holding) {
      const ready = fed.held.findLastIndex((part) => part.received.stamp <= stamp) + 1
      for (const part of fed.held.splice(0, ready)) this.#takeRows(fed, part)
      if (fed.held.length === 0) this.#holding.delete(fed)
    }
  }

  #takePart(tape: number, received: Received, events: readonly StoredEvent[]): void {
    const [{ exchange, symbol }] = events as [StoredEvent]
    const channel = channelOf(events[0]!) as RawChannel
    const name = FED_BY[channel]
    if (name === undefined) return
    const fed = this.#feed({ channel: name, exchange, symbol })
    fed.tapes.add(tape)
    const part = { tape, received, channel, events }
    if (!this.holds_all && fed.tapes.size === 1 && fed.held.length === 0) {
      return this.#takeRows(fed, part)
    }
    const after = fed.held.findLastIndex((one) => one.received.stamp <= received.stamp)
    fed.held.splice(after + 1, 0, part)
    this.#holding.add(fed)
  }

  #takeRows(fed: Fed, { tape, received, channel, events }: Part): void {
    const { stamp, is_primer } = received
    const fresh = events.filter((event) => isNew(fed, channel, event, received))
    if (fresh.length === 0) return
    if (channel === 'depth_events') {
      // Each update is a message of its own.
      const place =
        events.length === 1 && canBeReadAgain(fed, received, fresh, events)
          ? { tape, position: received.position!, row_count: 1 }
          : undefined
      for (const event of fresh) this.#takeDepth(fed, event as DepthEvent, received, place)
      return
    }
    if (is_primer) return
    const { stream } = fed
    const seq = stream.seqAt(stamp)
    const sorted = fresh.length === 1 ? fresh : fresh.toSorted((a, b) => compareKeys(channel, a, b))
    const rows = sorted.map((event) => rowText(channel, event, stream.decimals))
    const head = headText('rows', stream.name, this.#epoch, seq)
    const place = canBeReadAgain(fed, received, fresh, events)
      ? { tape, position: received.position!, row_count: rows.length }
      : undefined
    this.#streams.append(stream, messageOf(seq, `${head},"rows":[${rows.join(',')}]}`, place))
  }

  #takeDepth(
    fed: Fed,
    event: DepthEvent,
    { stamp, kind, position, is_primer }: Received,
    place: RecordPlace | undefined,
  ): void {
    const { stream, book, topn } = fed
    if (book === undefined || event.depth_kind === 'partial') return
    const seq = stream.seqAt(stamp)
    const message = book.take(event, kind === 'frame', seq, stream.decimals)
    if (message === undefined || is_primer) return
    // A message without an update only has a new book, and history has updates only.
    const is_update = event.depth_kind === 'diff'
    const record = is_update ? place : { tape: 0, position: position ?? 0, row_count: 0 }
    this.#streams.append(stream, { ...message, record })
    const top = topn === undefined ? undefined : book.topIfChanged(seq, stream.decimals)
    if (top !== undefined) this.#streams.append(topn!, top)
  }

  #takeGap(gap: Gap): void {
    const { exchange, symbol, channel, from_id, to_id } = gap
    const fed = this.#feed({ channel: 'gaps', exchange, symbol })
    const key = [channel, gap.from_ts, gap.to_ts, from_id, to_id, gap.cause].join(' ')
    if (!fed.known.add(key, gap.detected_at)) return
    if (channel === 'trades' && to_id !== null) {
      this.missing(exchange, symbol).addGap(from_id ?? -1, to_id)
    }
    // A gap that was detected before memory begins is sent too.
    const seq = Math.max(fed.stream.seqAt(gap.detected_at), fed.stream.floor + 1)
    const head = headText('rows', fed.stream.name, this.#epoch, seq)
    // Streams are passed on one after the other, so a gap must be sorted among the rows of the
    // others.
    this.#streams.passOn()
    this.#streams.append(fed.stream, messageOf(seq, `${head},"rows":[${gapText(gap)}]}`))
    this.#streams.passOn()
  }

  #feed(name: StreamName): Fed {
    const { channel, exchange, symbol } = name
    const listed = this.#fed.get(channel)?.get(symbol)
    const found = listed?.find(({ stream }) => stream.name.exchange === exchange)
    if (found !== undefined) return found
    const stream = this.#streams.of(name)
    const is_book = channel === 'book'
    const fed: Fed = {
      stream,
      known: new KnownRows(),
      missing: new MissingIds(),
      book: is_book ? new LiveBook(name, this.#epoch) : undefined,
      topn: is_book ? this.#streams.of({ ...name, channel: 'topn' }) : undefined,
      tapes: new Set(),
      held: [],
    }
    const of_channel = this.#fed.get(channel) ?? new Map<string, Fed[]>()
    of_channel.set(symbol, [...(listed ?? []), fed])
    this.#fed.set(channel, of_channel)
    return fed
  }
}

/** True for the first copy of a row. */
function isNew(
  { known, missing }: Fed,
  channel: RawChannel,
  event: StoredEvent,
  { stamp, kind }: Received,
): boolean {
  const is_first = isFirst(known, channel, event, stamp)
  if (channel !== 'trades') return is_first
  const { seq, agg_trade_id } = event as Trade
  // Missing trades are requested again only if their ids are consecutive.
  if (seq !== undefined) return is_first
  if (kind === 'rest') return is_first && missing.takeAnswered(agg_trade_id)
  missing.take(agg_trade_id)
  return is_first
}

function isFirst(
  known: KnownRows,
  channel: RawChannel,
  event: StoredEvent,
  stamp: number,
): boolean {
  const { kind, ts_exchange } = event
  switch (kind) {
    case 'trade':
      return known.addNumbered(ts_exchange, event.agg_trade_id, stamp)
    case 'book_ticker':
      return known.addNumbered(ts_exchange, event.update_id, stamp)
    default:
      return known.add(rowKey(channel, event), stamp)
  }
}

/** Events whose frames hold the rows exactly as the table has them. */
const READ_AGAIN: ReadonlySet<StoredEvent['kind']> = new Set([
  'trade',
  'book_ticker',
  'liquidation',
  'depth',
  'mark_price',
])
/** Its frames hold changes of mark prices, not whole ones. */
const CHANGES_ONLY: Exchange = 'bybit-linear'

/** True if parsing the record again gives the same rows. */
function canBeReadAgain(
  { tapes }: Fed,
  { position, kind }: Received,
  fresh: readonly StoredEvent[],
  all: readonly StoredEvent[],
): boolean {
  const [first] = fresh
  if (position === undefined || kind !== 'frame' || tapes.size > 1 || first === undefined)
    return false
  if (fresh.length !== all.length || timeSourceOf(first) === 'receive') return false
  if (first.kind === 'mark_price' && first.exchange === CHANGES_ONLY) return false
  return READ_AGAIN.has(first.kind)
}

function grouped(events: readonly StoredEvent[]): Iterable<readonly StoredEvent[]> {
  return Map.groupBy(events, ({ kind, symbol }) => `${kind} ${symbol}`).values()
}
