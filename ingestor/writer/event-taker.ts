/**
 * Takes one event after another into its stream: the sequence is watched, the row goes into the
 * stream's buffer, a book is kept. What comes twice is counted, not stored.
 */
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
import { timeSourceOf } from '#core/time-source.ts'
import { micros } from '#core/time.ts'
import type { BookKeeper } from '../books/keeper.ts'
import type { StreamChoice } from '../exchanges/adapter.ts'
import { depthStreamsOf } from '../exchanges/depth-choice.ts'
import { createCounts, type MutableCounts } from './counts.ts'
import type { Hole } from './holes.ts'
import { MarkPrices } from './mark-prices.ts'
import { createRepeatWatch } from './repeats.ts'
import { firstState } from './sequence-state.ts'
import { observe } from './sequence.ts'
import { hasCountedIds, sequencedEvent } from './sequenced-event.ts'
import type { StreamEntry, StreamTable } from './stream-table.ts'
import type { ListedInstruments } from './symbol-ids.ts'

/** What the current batch holds besides the rows, which lie with their streams. */
export interface Gathered {
  event_count: number
  readonly gaps: Gap[]
  readonly prices: IndexPrice[]
  readonly listings: ListedInstruments[]
  readonly counts: MutableCounts
}

/** Number of the socket that answers have on the tape. */
const REST_CONNECTION = 0

export interface EventTaker {
  /** Of a frame: its stream goes on from it. */
  takeHeard(event: MarketEvent, connection: number): void
  /** Of an answer, which fills holes of the past or shows a whole book: no stream goes on from it. */
  takeAnswered(event: MarketEvent): void
  /** `is_counted`: ids say how much is missing, where the channel has any. */
  addHoles(stream: StreamEntry, holes: readonly Hole[], is_counted?: boolean): void
}

export function createGathered(): Gathered {
  return { event_count: 0, gaps: [], prices: [], listings: [], counts: createCounts() }
}

/** `gathered`: that of the batch which is being gathered when an event comes. */
export function createEventTaker(
  streams: StreamTable,
  choice: StreamChoice,
  books: Pick<BookKeeper, 'take'> | undefined,
  gathered: () => Gathered,
): EventTaker {
  const addHoles: EventTaker['addHoles'] = (stream, holes, is_counted = true) => {
    const { exchange, symbol, channel } = stream
    for (const hole of holes) {
      // Where a stream begins anew, ids of before and after do not belong together. What an operator
      // chose not to record is not asked for either: without ids nothing is refilled.
      const { cause } = hole
      const is_chosen = cause === 'delisted' || cause === 'operator'
      const has_ids = is_counted && CHANNELS_WITH_IDS.has(channel) && !is_chosen
      const ids = has_ids ? {} : { from_id: null, to_id: null }
      gathered().gaps.push({ exchange, symbol, channel, ...hole, ...ids })
    }
  }
  const keepBook = (event: DepthEvent, in_stream: boolean): void => {
    const gap = books?.take(event, in_stream)
    if (gap !== undefined) gathered().gaps.push(gap)
  }
  /** With the time of its row; undefined where another socket has brought it. */
  const hearOnce = (
    stream: StreamEntry,
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
  const countRepeated = (stream: StreamEntry): void => {
    const { counts } = gathered()
    streams.touch(stream)
    counts.events[stream.channel]++
    counts.duplicates[stream.channel]++
  }
  const watchSequence = (stream: StreamEntry, event: MarketEvent, connection: number): void => {
    const sequenced = sequencedEvent(event, connection)
    if (stream.state === undefined) {
      stream.state = firstState(sequenced)
      return
    }
    const holes = observe(stream.state, sequenced)
    if (holes.length > 0) addHoles(stream, holes, hasCountedIds(event))
    streams.watch(stream)
  }
  const store = (stream: StreamEntry, event: MarketEvent, connection: number): void => {
    const into = gathered()
    streams.touch(stream)
    into.event_count++
    if (event.kind === 'void_trade') {
      into.counts.void_trades++
      return
    }
    if (event.kind === 'mark_price' || event.kind === 'mark_price_change') {
      return storeMarkPrice(stream, event, connection)
    }
    if (event.kind === 'index_price') into.prices.push(event)
    else stream.rows?.push(event)
    into.counts.events[stream.channel]++
  }
  /** Without anything to go on from a change is no row: the stream begins with a whole one. */
  const storeMarkPrice = (
    stream: StreamEntry,
    event: MarkPrice | MarkPriceChange,
    connection: number,
  ): void => {
    stream.mark_prices ??= new MarkPrices()
    const row = stream.mark_prices.take(event, connection)
    if (row === undefined) return
    stream.rows?.push(row)
    gathered().counts.events.mark_price++
  }
  return {
    addHoles,
    takeHeard(event, connection) {
      const stream = streams.of(event.exchange, event.symbol, channelOf(event))
      const is_beside = isBesideDiffs(event, choice)
      const is_untimed = timeSourceOf(event) === 'receive'
      const told = is_untimed ? hearOnce(stream, event, connection, is_beside) : event
      if (!is_beside) watchSequence(stream, event, connection)
      if (told === undefined) countRepeated(stream)
      else store(stream, told, connection)
      if (event.kind !== 'depth') return
      if (event.depth_kind === 'diff') stream.last_change = event
      keepBook(event, true)
    },
    takeAnswered(event) {
      const stream = streams.of(event.exchange, event.symbol, channelOf(event))
      const told = timeSourceOf(event) === 'stream' ? timedByStream(stream, event) : event
      store(stream, told, REST_CONNECTION)
      if (told.kind === 'depth') keepBook(told, false)
    },
  }
}

/**
 * A book that says no time has that of the newest change before it, and what passed since: so it is
 * found among its changes. The receive time is of another clock, and in a replay of another year.
 */
function timedByStream({ last_change }: StreamEntry, event: MarketEvent): MarketEvent {
  if (last_change === undefined) return event
  const passed_us = Math.max(0, event.ts_ingest - last_change.ts_ingest)
  return { ...event, ts_exchange: micros(last_change.ts_exchange + passed_us) }
}

/** Where diffs are recorded too, they alone tell what is missing of the book. */
function isBesideDiffs(event: MarketEvent, choice: StreamChoice): boolean {
  if (event.kind !== 'depth' || event.depth_kind !== 'partial') return false
  return depthStreamsOf(choice).includes('diff')
}
