/**
 * Turns tape records into batches of events: parses each frame once, checks the sequence of its
 * stream, and counts the outcome. Pure, except that it passes rejected frames to `onRejected`.
 * prepare.ts and commit.ts do symbol ids, encoding and Postgres.
 */
import { OperatorError } from '#core/errors.ts'
import type { MarkPrice } from '#core/market.ts'
import type { Exchange } from '#core/symbols.ts'
import type { Micros } from '#core/time.ts'
import type { BookKeeper } from '../books/keeper.ts'
import type { ExchangeAdapter, Parsed, Rejected, StreamChoice } from '../exchanges/adapter.ts'
import { adapterByCode } from '../exchanges/registry.ts'
import type { TapeRecord } from '../tape/record.ts'
import type { Batch, RejectedFrame } from './batch.ts'
import { countIgnored } from './counts.ts'
import { createEventTaker, createGathered, type EventSink } from './event-taker.ts'
import { MarkPrices } from './mark-prices.ts'
import { createMarkReader, parseMark } from './marks.ts'
import { createTimeJudge, type TimeJudge } from './plausible-times.ts'
import { type StreamOffset, StreamTable } from './stream-table.ts'

export interface BatcherOptions {
  readonly from_position: number
  /** The state of each stream as read from the database. */
  readonly offsets: readonly StreamOffset[]
  /** The newest rows of each stream, ordered by time. */
  readonly mark_prices?: readonly MarkPrice[]
  /** From the previous batch. */
  readonly covered_until?: Micros | undefined
  readonly choice: StreamChoice
  /** Receives every depth event; undefined if snapshots cannot be requested. */
  readonly books?: Pick<BookKeeper, 'take' | 'noteLost'> | undefined
  readonly onRejected: (frame: RejectedFrame) => void
  /** Gets the rows and gaps, which batches then do not hold. */
  readonly sink?: EventSink
}

export interface Batcher {
  readonly streams: StreamTable
  /** Events since the last seal. */
  readonly event_count: number
  add(record: TapeRecord): void
  /** Reports that this many bytes of the tape cannot be read. */
  skip(damaged_bytes: number): void
  /** Returns everything taken since the last seal. The tape was read up to `to_position`. */
  seal(to_position: number): Batch
}

export function createBatcher(options: BatcherOptions): Batcher {
  const streams = new StreamTable(options.offsets)
  for (const mark_price of options.mark_prices ?? []) {
    const { exchange, symbol } = mark_price
    const stream = streams.of(exchange, symbol, 'mark_price')
    stream.mark_prices ??= new MarkPrices()
    stream.mark_prices.restore(mark_price)
  }
  let from_position = options.from_position
  let oldest_ts_ingest: Micros | undefined
  let newest_ts_ingest = options.covered_until
  let covered_until = options.covered_until
  let last_judge: { readonly exchange: Exchange; readonly judge: TimeJudge } | undefined
  let gathered = createGathered()

  const { choice, books, sink } = options
  const taker = createEventTaker(streams, choice, books, () => gathered, sink)
  const marks = createMarkReader(streams, taker.addGaps, options.books)
  const judges = new Map<Exchange, TimeJudge>()
  const sift = (parsed: Parsed, exchange: Exchange, is_answer: boolean): Parsed => {
    if (parsed.kind !== 'events') return parsed
    if (last_judge?.exchange !== exchange) {
      let judge = judges.get(exchange)
      if (judge === undefined) judges.set(exchange, (judge = createTimeJudge()))
      last_judge = { exchange, judge }
    }
    return last_judge.judge.sift(parsed, is_answer)
  }

  const reject = (
    record: TapeRecord,
    { reason, detail }: Rejected,
    counted: 'rejected' | 'rejected_elements' = 'rejected',
  ): void => {
    gathered.counts[counted][reason] = (gathered.counts[counted][reason] ?? 0) + 1
    options.onRejected({ reason, detail, record })
  }
  const loseAffected = ({ exchange_code, ts_ingest }: TapeRecord, { affected }: Rejected): void => {
    if (affected === undefined) return
    const { exchange } = adapterByCode(exchange_code)
    marks.lose(streams.named(exchange, [affected]), 'rejected', ts_ingest)
  }
  /** Counts what holds no events. Events differ between frames and answers. */
  const addOther = (record: TapeRecord, parsed: Exclude<Parsed, { kind: 'events' }>): void => {
    switch (parsed.kind) {
      case 'control':
        gathered.counts.control++
        return
      case 'ignored':
        countIgnored(gathered.counts, parsed.stream_class)
        return
      case 'rejected':
        reject(record, parsed)
        loseAffected(record, parsed)
    }
  }

  const addFrame = (record: TapeRecord, adapter: ExchangeAdapter): void => {
    const read = adapter.parse(record.payload, record.ts_ingest, options.choice)
    const parsed = sift(read, adapter.exchange, false)
    if (parsed.kind !== 'events') return addOther(record, parsed)
    gathered.counts.event_frames++
    let at = 0
    for (const element of parsed.odd ?? []) {
      for (; at < element.events_before; at++) {
        taker.takeHeard(parsed.events[at]!, record.connection)
      }
      reject(record, element, 'rejected_elements')
      loseAffected(record, element)
    }
    for (; at < parsed.events.length; at++) taker.takeHeard(parsed.events[at]!, record.connection)
  }

  /** An answer fills an old gap or holds a whole book. It never advances a stream. */
  const addAnswer = (record: TapeRecord, parsed: Parsed): void => {
    if (parsed.kind !== 'events') return addOther(record, parsed)
    gathered.counts.event_answers++
    for (const element of parsed.odd ?? []) reject(record, element, 'rejected_elements')
    if (parsed.events[0]?.kind === 'depth') gathered.counts.book_answers++
    for (const event of parsed.events) taker.takeAnswered(event)
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
      gathered.listings.push({ exchange, listed_at: record.ts_ingest, instruments })
      gathered.counts.control++
    } catch (error) {
      reject(record, { reason: 'unknown_shape', detail: String(error) })
    }
  }

  /** Our own code failed on this record: its stream gets a gap, and all others continue. */
  const setAside = (record: TapeRecord, error: unknown): void => {
    reject(record, { reason: 'parser_failed', detail: String(error) })
    if (record.kind !== 'frame') return
    const adapter = adapterByCode(record.exchange_code)
    const affected = streams.findByName(adapter, adapter.streamOf(record.payload), options.choice)
    if (affected !== undefined) marks.lose([affected], 'rejected', record.ts_ingest)
  }

  const addMark = (record: TapeRecord): void => {
    const mark = parseMark(record.payload)
    if (mark === undefined) {
      return reject(record, { reason: 'unknown_shape', detail: 'not a mark of this build' })
    }
    // Recovery cut the tape, which affects the streams of all exchanges.
    if (mark.kind === 'cut') {
      return marks.lose(streams.all(), 'tape_cut', record.ts_ingest, covered_until)
    }
    const { exchange } = adapterByCode(record.exchange_code)
    marks.take(mark, exchange, record.ts_ingest, covered_until)
    covered_until = record.ts_ingest
  }

  return {
    streams,
    get event_count() {
      return gathered.event_count
    },
    add(record) {
      oldest_ts_ingest ??= record.ts_ingest
      newest_ts_ingest = record.ts_ingest
      if (record.kind === 'frame') {
        gathered.counts.frames++
        // An answer does not prove that a socket was open. The listing is requested before the
        // first socket opens, perhaps days after the last frame.
        covered_until = record.ts_ingest
      } else if (record.kind === 'rest') gathered.counts.rest_answers++
      else gathered.counts.marks++
      const { event_frames, event_answers } = gathered.counts
      try {
        if (record.kind === 'frame') addFrame(record, adapterByCode(record.exchange_code))
        else if (record.kind === 'rest') addRest(record, adapterByCode(record.exchange_code))
        else addMark(record)
      } catch (error) {
        if (error instanceof OperatorError) throw error
        // The same record would throw again after every restart.
        Object.assign(gathered.counts, { event_frames, event_answers })
        setAside(record, error)
      }
    },
    skip(damaged_bytes) {
      gathered.counts.damaged_bytes += damaged_bytes
      marks.lose(streams.all(), 'tape_cut', newest_ts_ingest, covered_until)
    },
    seal(to_position) {
      if (newest_ts_ingest !== undefined) {
        for (const [stream, gaps] of streams.expire(newest_ts_ingest)) taker.addGaps(stream, gaps)
      }
      const { prices, gaps, listings, counts } = gathered
      const batch: Batch = {
        from_position,
        to_position,
        oldest_ts_ingest,
        covered_until,
        streams: streams.take(),
        prices,
        gaps,
        listings,
        lost_streams: streams.lostStreams(),
        counts,
      }
      from_position = to_position
      oldest_ts_ingest = undefined
      gathered = createGathered()
      return batch
    },
  }
}

function splitRest(payload: Buffer): { readonly path: string; readonly body: string } {
  const text = payload.toString('utf8')
  const end = text.indexOf('\n')
  return end === -1
    ? { path: text, body: '' }
    : { path: text.slice(0, end), body: text.slice(end + 1) }
}
