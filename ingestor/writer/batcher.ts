/**
 * Turns tape records into batches of events: parses each frame once, watches the sequence of its
 * stream, and counts what became of it. Pure but for the samples of rejected frames it hands out;
 * symbol ids, encoding and Postgres are the matter of prepare.ts and commit.ts.
 */
import { OperatorError } from '#core/errors.ts'
import {
  channelOf,
  CHANNELS_WITH_IDS,
  type DepthEvent,
  type Gap,
  type IndexPrice,
  type MarketEvent,
  type MarkPrice,
  type MarkPriceChange,
  orderOf,
} from '#core/market.ts'
import type { Exchange } from '#core/symbols.ts'
import { timeSourceOf } from '#core/time-source.ts'
import { type Micros, micros } from '#core/time.ts'
import type { BookKeeper } from '../books/keeper.ts'
import type {
  ExchangeAdapter,
  Parsed,
  Rejected,
  RejectReason,
  StreamChoice,
} from '../exchanges/adapter.ts'
import { depthStreamsOf } from '../exchanges/depth-choice.ts'
import { adapterByCode } from '../exchanges/registry.ts'
import type { TapeRecord } from '../tape/record.ts'
import { countIgnored, createCounts, type MutableCounts } from './counts.ts'
import { createMarkReader, parseMark } from './marks.ts'
import { noteMarkPrice, wholeMarkPrice } from './mark-prices.ts'
import { createTimeJudge, type TimeJudge } from './plausible-times.ts'
import { createRepeatWatch } from './repeats.ts'
import { firstState, type Hole, observe, type SequencedEvent } from './sequence.ts'
import {
  type OpenHoles,
  type Stream,
  type StreamBatch,
  type StreamOffset,
  StreamTable,
} from './stream-table.ts'
import type { Listing } from './symbol-ids.ts'

/**
 * Everything that one transaction takes in, still by symbol name. The rows lie in buffers of the
 * batcher: prepare the batch (prepare.ts) before the batcher takes the next record.
 */
export interface Batch {
  readonly from_position: number
  readonly to_position: number
  /** When the first record arrived; undefined where the batch holds only damage. */
  readonly oldest_ts_ingest: Micros | undefined
  /** The streams that are listened to were heard up to here, by our clock. */
  readonly covered_until: Micros | undefined
  readonly streams: readonly StreamBatch[]
  /** Index prices, which are no rows of a raw table. */
  readonly prices: readonly IndexPrice[]
  readonly gaps: readonly Gap[]
  readonly listings: readonly Listing[]
  /** As they are once the batch is committed. */
  readonly open_holes: OpenHoles
  /**
   * Rows, dead letters, gaps, and duplicates beyond those seen here, are added when it is committed.
   */
  readonly counts: MutableCounts
}

export interface RejectedFrame {
  readonly reason: RejectReason
  readonly detail: string
  readonly record: TapeRecord
}

export interface BatcherOptions {
  readonly from_position: number
  /** The streams as the database remembers them. */
  readonly offsets: readonly StreamOffset[]
  /** What changes of a mark price go on from. */
  readonly mark_prices?: readonly MarkPrice[]
  /** Of the batch before. */
  readonly covered_until?: Micros | undefined
  readonly choice: StreamChoice
  /** Sees every depth event; undefined where nobody could ask for snapshots. */
  readonly books?: Pick<BookKeeper, 'take' | 'deafen'> | undefined
  readonly onRejected: (frame: RejectedFrame) => void
}

export interface Batcher {
  /** Events since the last seal. */
  readonly event_count: number
  add(record: TapeRecord): void
  /** So many bytes of the tape cannot be read. */
  skip(damaged_bytes: number): void
  /** Everything taken since the last seal; the tape was read up to `to_position`. */
  seal(to_position: number): Batch
}

export function createBatcher(options: BatcherOptions): Batcher {
  const streams = new StreamTable(options.offsets)
  for (const mark_price of options.mark_prices ?? []) {
    const { exchange, symbol } = mark_price
    streams.of(exchange, symbol, 'mark_price').mark_price = mark_price
  }
  let from_position = options.from_position
  let event_count = 0
  let oldest_ts_ingest: Micros | undefined
  let newest_ts_ingest = options.covered_until
  let covered_until = options.covered_until
  let gaps: Gap[] = []
  let prices: IndexPrice[] = []
  let listings: Listing[] = []
  let counts = createCounts()

  const addHoles = (stream: Stream, holes: readonly Hole[], is_counted = true): void => {
    const { exchange, symbol, channel } = stream
    for (const hole of holes) {
      // Where a stream begins anew, ids of before and after do not belong together.
      const has_ids = is_counted && CHANNELS_WITH_IDS.has(channel) && hole.cause !== 'delisted'
      const ids = has_ids ? {} : { from_id: null, to_id: null }
      gaps.push({ exchange, symbol, channel, ...hole, ...ids })
    }
  }
  const marks = createMarkReader(streams, addHoles, options.books)
  const judges = new Map<Exchange, TimeJudge>()
  const sift = (parsed: Parsed, exchange: Exchange, is_answer: boolean): Parsed => {
    if (parsed.kind !== 'events') return parsed
    let judge = judges.get(exchange)
    if (judge === undefined) judges.set(exchange, (judge = createTimeJudge()))
    return judge.sift(parsed, is_answer)
  }

  const addEvent = (event: MarketEvent, connection: number): void => {
    const stream = streams.of(event.exchange, event.symbol, channelOf(event))
    const is_beside = isBesideDiffs(event, options.choice)
    const is_untimed = timeSourceOf(event) === 'receive'
    const told = is_untimed ? hearOnce(stream, event, connection, is_beside) : event
    if (!is_beside) watchSequence(stream, event, connection)
    if (told === undefined) countRepeated(stream)
    else store(stream, told)
    if (event.kind !== 'depth') return
    if (event.depth_kind === 'diff') stream.last_change = event
    keepBook(event, true)
  }
  const keepBook = (event: DepthEvent, in_stream: boolean): void => {
    const gap = options.books?.take(event, in_stream)
    if (gap !== undefined) gaps.push(gap)
  }
  /** With the time of its row; undefined where another socket has brought it. */
  const hearOnce = (
    stream: Stream,
    event: MarketEvent,
    connection: number,
    is_beside: boolean,
  ): MarketEvent | undefined => {
    stream.repeats ??= createRepeatWatch(is_beside ? undefined : stream.state)
    const ts = event.ts_exchange
    const ts_exchange = stream.repeats.take({ id: orderOf(event), connection, ts })
    if (ts_exchange === undefined) return undefined
    return ts_exchange === ts ? event : { ...event, ts_exchange }
  }
  const countRepeated = (stream: Stream): void => {
    streams.touch(stream)
    counts.events[stream.channel]++
    counts.duplicates[stream.channel]++
  }
  const watchSequence = (stream: Stream, event: MarketEvent, connection: number): void => {
    const sequenced = sequencedEvent(event, connection)
    if (stream.state === undefined) {
      stream.state = firstState(sequenced)
      return
    }
    const holes = observe(stream.state, sequenced)
    if (holes.length > 0) addHoles(stream, holes, hasCountedIds(event))
    streams.watch(stream)
  }
  const store = (stream: Stream, event: MarketEvent): void => {
    streams.touch(stream)
    event_count++
    if (event.kind === 'void_trade') {
      counts.void_trades++
      return
    }
    if (event.kind === 'mark_price_change') return storeChange(stream, event)
    if (event.kind === 'index_price') prices.push(event)
    else stream.rows?.push(event)
    counts.events[stream.channel]++
    if (event.kind === 'mark_price') noteMarkPrice(stream, event)
  }
  /** Without anything to go on from a change is no row: the stream begins with a whole one. */
  const storeChange = (stream: Stream, event: MarkPriceChange): void => {
    const whole = wholeMarkPrice(stream, event)
    if (whole === undefined) return
    stream.rows?.push(whole)
    counts.events.mark_price++
    noteMarkPrice(stream, whole)
  }

  const reject = (
    record: TapeRecord,
    { reason, detail }: Rejected,
    counted: 'rejected' | 'rejected_elements' = 'rejected',
  ): void => {
    counts[counted][reason] = (counts[counted][reason] ?? 0) + 1
    options.onRejected({ reason, detail, record })
  }
  const loseSpoiled = ({ exchange_code, ts_ingest }: TapeRecord, { spoiled }: Rejected): void => {
    if (spoiled === undefined) return
    const { exchange } = adapterByCode(exchange_code)
    marks.lose(streams.named(exchange, [spoiled]), 'rejected', ts_ingest)
  }
  /** Everything but events, which a frame and an answer take differently. */
  const addOther = (record: TapeRecord, parsed: Exclude<Parsed, { kind: 'events' }>): void => {
    switch (parsed.kind) {
      case 'control':
        counts.control++
        return
      case 'ignored':
        countIgnored(counts, parsed.stream_class)
        return
      case 'rejected':
        reject(record, parsed)
        loseSpoiled(record, parsed)
    }
  }

  const addFrame = (record: TapeRecord, adapter: ExchangeAdapter): void => {
    const read = adapter.parse(record.payload, record.ts_ingest, options.choice)
    const parsed = sift(read, adapter.exchange, false)
    if (parsed.kind !== 'events') return addOther(record, parsed)
    counts.event_frames++
    let at = 0
    for (const element of parsed.odd ?? []) {
      for (; at < element.events_before; at++) addEvent(parsed.events[at]!, record.connection)
      reject(record, element, 'rejected_elements')
      loseSpoiled(record, element)
    }
    for (; at < parsed.events.length; at++) addEvent(parsed.events[at]!, record.connection)
  }

  /** Answers fill holes of the past or show the whole book: no stream goes on from them. */
  const addAnswer = (record: TapeRecord, parsed: Parsed): void => {
    if (parsed.kind !== 'events') return addOther(record, parsed)
    counts.event_answers++
    for (const element of parsed.odd ?? []) reject(record, element, 'rejected_elements')
    if (parsed.events[0]?.kind === 'depth') counts.book_answers++
    for (const event of parsed.events) {
      const stream = streams.of(event.exchange, event.symbol, channelOf(event))
      const told = timeSourceOf(event) === 'stream' ? timedByStream(stream, event) : event
      store(stream, told)
      if (told.kind === 'depth') keepBook(told, false)
    }
  }

  const addRest = (record: TapeRecord, adapter: ExchangeAdapter): void => {
    const { path, body } = splitRest(record.payload)
    if (path !== adapter.instruments_path) {
      const read = adapter.parseRest(path, body, record.ts_ingest, options.choice)
      addAnswer(record, sift(read, adapter.exchange, true))
      return
    }
    try {
      const { exchange } = adapter
      const { instruments } = adapter.parseInstruments(body)
      listings.push({ exchange, listed_at: record.ts_ingest, instruments })
      counts.control++
    } catch (error) {
      reject(record, { reason: 'unknown_shape', detail: String(error) })
    }
  }

  /** Our own code fails with this record: its stream has a hole, and everything else goes on. */
  const setAside = (record: TapeRecord, error: unknown): void => {
    reject(record, { reason: 'parser_failed', detail: String(error) })
    if (record.kind !== 'frame') return
    const adapter = adapterByCode(record.exchange_code)
    const spoiled = streams.findByName(adapter, adapter.streamOf(record.payload), options.choice)
    if (spoiled !== undefined) marks.lose([spoiled], 'rejected', record.ts_ingest)
  }

  const addMark = (record: TapeRecord): void => {
    const mark = parseMark(record.payload)
    if (mark === undefined) {
      return reject(record, { reason: 'unknown_shape', detail: 'not a mark of this build' })
    }
    // Recovery cut the tape, which is of no exchange.
    if (mark.kind === 'cut') {
      return marks.lose(streams.all(), 'tape_cut', record.ts_ingest, covered_until)
    }
    const { exchange } = adapterByCode(record.exchange_code)
    marks.take(mark, exchange, record.ts_ingest, covered_until)
    covered_until = record.ts_ingest
  }

  return {
    get event_count() {
      return event_count
    },
    add(record) {
      oldest_ts_ingest ??= record.ts_ingest
      newest_ts_ingest = record.ts_ingest
      if (record.kind === 'frame') {
        counts.frames++
        // An answer shows no socket: the listing is asked for before there is one, perhaps days
        // after the last frame.
        covered_until = record.ts_ingest
      } else if (record.kind === 'rest') counts.rest_answers++
      else counts.marks++
      const { event_frames, event_answers } = counts
      try {
        if (record.kind === 'frame') addFrame(record, adapterByCode(record.exchange_code))
        else if (record.kind === 'rest') addRest(record, adapterByCode(record.exchange_code))
        else addMark(record)
      } catch (error) {
        if (error instanceof OperatorError) throw error
        // The same record would throw again after every restart.
        Object.assign(counts, { event_frames, event_answers })
        setAside(record, error)
      }
    },
    skip(damaged_bytes) {
      counts.damaged_bytes += damaged_bytes
      marks.lose(streams.all(), 'tape_cut', newest_ts_ingest, covered_until)
    },
    seal(to_position) {
      if (newest_ts_ingest !== undefined) {
        for (const [stream, holes] of streams.expire(newest_ts_ingest)) addHoles(stream, holes)
      }
      const batch: Batch = {
        from_position,
        to_position,
        oldest_ts_ingest,
        covered_until,
        streams: streams.take(),
        prices,
        gaps,
        listings,
        open_holes: streams.openHoles(),
        counts,
      }
      from_position = to_position
      event_count = 0
      oldest_ts_ingest = undefined
      gaps = []
      prices = []
      listings = []
      counts = createCounts()
      return batch
    },
  }
}

/**
 * A book that says no time has that of the newest change before it, and what passed since: so it is
 * found among its changes. The receive time is of another clock, and in a replay of another year.
 */
function timedByStream({ last_change }: Stream, event: MarketEvent): MarketEvent {
  if (last_change === undefined) return event
  const passed_us = Math.max(0, event.ts_ingest - last_change.ts_ingest)
  return { ...event, ts_exchange: micros(last_change.ts_exchange + passed_us) }
}

function sequencedEvent(event: MarketEvent, connection: number): SequencedEvent {
  const { ts_exchange, ts_ingest } = event
  const id = orderOf(event)
  // What shows a whole state under the first id of all: the exchange has begun to count anew.
  const begins_anew = id === 1 && (event.kind === 'depth' || event.kind === 'book_ticker')
  const follows = followsOf(event)
  return { id, follows, fills: fillsOf(event), begins_anew, ts_exchange, ts_ingest, connection }
}

function fillsOf(event: MarketEvent): SequencedEvent['fills'] {
  if (event.kind !== 'trade') return undefined
  const { first_trade_id: first, last_trade_id: last } = event
  return first === null || last === null ? undefined : { first, last }
}

/** Ids by which a hole can be measured, and its trades be asked for. */
function hasCountedIds(event: MarketEvent): boolean {
  return !((event.kind === 'trade' || event.kind === 'void_trade') && event.seq !== undefined)
}

/** The id before this event with which nothing is missing; undefined where ids only grow. */
function followsOf(event: MarketEvent): number | undefined {
  switch (event.kind) {
    case 'trade':
    case 'void_trade':
      return event.seq === undefined ? event.agg_trade_id - 1 : undefined
    case 'depth':
      if (event.depth_kind === 'partial') return undefined
      // Of a stream: it stands in the place of the diff with its id.
      if (event.depth_kind === 'snapshot') return event.final_update_id - 1
      return event.prev_final_update_id ?? (event.first_update_id ?? event.final_update_id) - 1
    default:
      return undefined
  }
}

/** Where diffs are recorded too, they alone tell what is missing of the book. */
function isBesideDiffs(event: MarketEvent, choice: StreamChoice): boolean {
  if (event.kind !== 'depth' || event.depth_kind !== 'partial') return false
  return depthStreamsOf(choice).includes('diff')
}

function splitRest(payload: Buffer): { readonly path: string; readonly body: string } {
  const text = payload.toString('utf8')
  const end = text.indexOf('\n')
  return end === -1 ? { path: text, body: '' } : { path: text.slice(0, end), body: text.slice(end + 1) }
}
