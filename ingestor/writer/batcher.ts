/**
 * Turns tape records into batches of events: parses each frame once, watches the sequence of its
 * stream, and counts what became of it. Pure but for the samples of rejected frames it hands out;
 * symbol ids, encoding and Postgres are the matter of prepare.ts and commit.ts.
 */
import type { Channel, Gap, GapCause, MarketEvent } from '#core/market.ts'
import type { Instrument } from '#core/symbols.ts'
import type { Micros } from '#core/time.ts'
import type { ExchangeAdapter, Parsed, RejectReason, StreamChoice } from '../exchanges/adapter.ts'
import { adapterByCode } from '../exchanges/registry.ts'
import type { Mark, TapeRecord } from '../tape/record.ts'
import { countIgnored, createCounts, type MutableCounts } from './counts.ts'
import {
  deafen,
  firstState,
  type Hole,
  observe,
  type SequencedEvent,
  unheardState,
} from './sequence.ts'
import { type Stream, type StreamBatch, type StreamOffset, StreamTable } from './stream-table.ts'

/**
 * Everything that one transaction takes in, still by symbol name. The rows lie in buffers of the
 * batcher: prepare the batch (prepare.ts) before the batcher takes the next record.
 */
export interface Batch {
  readonly from_position: number
  readonly to_position: number
  /** When the first record arrived; undefined where the batch holds only damage. */
  readonly oldest_ts_ingest: Micros | undefined
  readonly streams: readonly StreamBatch[]
  readonly gaps: readonly Gap[]
  readonly instruments: readonly Instrument[]
  /** Rows, duplicates, dead letters and gaps are added when it is committed. */
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
  readonly choice: StreamChoice
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
  let from_position = options.from_position
  let event_count = 0
  let oldest_ts_ingest: Micros | undefined
  let newest_ts_ingest: Micros | undefined
  let gaps: Gap[] = []
  let instruments: Instrument[] = []
  let counts = createCounts()

  const addHoles = (stream: Stream, holes: readonly Hole[]): void => {
    const { exchange, symbol, channel } = stream
    for (const hole of holes) gaps.push({ exchange, symbol, channel, ...hole })
  }
  const deafenAll = (named: Iterable<Stream>, cause: GapCause): void => {
    for (const stream of named) {
      if (stream.state === undefined) continue
      addHoles(stream, deafen(stream.state, cause))
      streams.touch(stream)
    }
  }

  const addEvent = (event: MarketEvent, connection: number): void => {
    const stream = streams.of(event.exchange, event.symbol, channelOf(event))
    const sequenced = sequencedEvent(event, connection)
    if (stream.state === undefined) {
      stream.state = firstState(sequenced)
    } else {
      const holes = observe(stream.state, stream.channel, sequenced)
      if (holes.length > 0) addHoles(stream, holes)
      streams.watch(stream)
    }
    store(stream, event)
  }
  const store = (stream: Stream, event: MarketEvent): void => {
    streams.touch(stream)
    event_count++
    if (event.kind === 'void_trade') {
      counts.void_trades++
    } else {
      stream.rows.push(event)
      counts.events[stream.channel]++
    }
  }

  const reject = (record: TapeRecord, reason: RejectReason, detail: string): void => {
    counts.rejected[reason] = (counts.rejected[reason] ?? 0) + 1
    options.onRejected({ reason, detail, record })
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
        reject(record, parsed.reason, parsed.detail)
        if (parsed.spoiled === undefined) return
        deafenAll(streams.named(adapterByCode(record.exchange_code).exchange, [parsed.spoiled]), 'rejected')
    }
  }

  const addFrame = (record: TapeRecord, adapter: ExchangeAdapter): void => {
    const parsed = adapter.parse(record.payload, record.ts_ingest, options.choice)
    if (parsed.kind !== 'events') return addOther(record, parsed)
    counts.event_frames++
    for (const event of parsed.events) addEvent(event, record.connection)
  }

  /** Trades from REST fill holes of the past; what the streams bring next does not depend on them. */
  const addAnswer = (record: TapeRecord, parsed: Parsed): void => {
    if (parsed.kind !== 'events') return addOther(record, parsed)
    counts.event_answers++
    for (const event of parsed.events) {
      store(streams.of(event.exchange, event.symbol, channelOf(event)), event)
    }
  }

  const addRest = (record: TapeRecord, adapter: ExchangeAdapter): void => {
    const { path, body } = splitRest(record.payload)
    if (path !== adapter.instruments_path) {
      addAnswer(record, adapter.parseRest(path, body, record.ts_ingest, options.choice))
      return
    }
    try {
      instruments.push(...adapter.parseInstruments(body))
      counts.control++
    } catch (error) {
      reject(record, 'unknown_shape', String(error))
    }
  }

  const addMark = (record: TapeRecord): void => {
    const mark = parseMark(record.payload)
    if (mark === undefined) return reject(record, 'unknown_shape', 'not a mark of this build')
    if (mark.kind === 'cut') return deafenAll(streams.all(), 'tape_cut')
    const { exchange } = adapterByCode(record.exchange_code)
    for (const { symbol, channel } of mark.streams) {
      const stream = streams.of(exchange, symbol, channel)
      const begins = mark.kind === 'started' && stream.state === undefined
      stream.state ??= unheardState(record.ts_ingest)
      streams.touch(stream)
      if (!begins) deafenAll([stream], mark.kind === 'deaf' ? mark.cause : 'restart')
    }
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
        addFrame(record, adapterByCode(record.exchange_code))
      } else if (record.kind === 'rest') {
        counts.rest_answers++
        addRest(record, adapterByCode(record.exchange_code))
      } else {
        counts.marks++
        addMark(record)
      }
    },
    skip(damaged_bytes) {
      counts.damaged_bytes += damaged_bytes
      deafenAll(streams.all(), 'tape_cut')
    },
    seal(to_position) {
      if (newest_ts_ingest !== undefined) {
        for (const [stream, holes] of streams.expire(newest_ts_ingest)) addHoles(stream, holes)
      }
      const batch: Batch = {
        from_position,
        to_position,
        oldest_ts_ingest,
        streams: streams.take(),
        gaps,
        instruments,
        counts,
      }
      from_position = to_position
      event_count = 0
      oldest_ts_ingest = undefined
      gaps = []
      instruments = []
      counts = createCounts()
      return batch
    },
  }
}

function channelOf(event: MarketEvent): Channel {
  return event.kind === 'book_ticker' ? 'book_ticker' : 'trades'
}

function sequencedEvent(event: MarketEvent, connection: number): SequencedEvent {
  const id = event.kind === 'book_ticker' ? event.update_id : event.agg_trade_id
  return { id, ts_exchange: event.ts_exchange, ts_ingest: event.ts_ingest, connection }
}

function splitRest(payload: Buffer): { readonly path: string; readonly body: string } {
  const text = payload.toString('utf8')
  const end = text.indexOf('\n')
  return end === -1 ? { path: text, body: '' } : { path: text.slice(0, end), body: text.slice(end + 1) }
}

function parseMark(payload: Buffer): Mark | undefined {
  try {
    const mark = JSON.parse(payload.toString('utf8')) as Mark
    return ['started', 'deaf', 'cut'].includes(mark.kind) ? mark : undefined
  } catch {
    return undefined
  }
}
