/**
 * Adds each event to its stream: checks the sequence, appends the row to the stream's buffer, and
 * updates the book. Repeated events are counted, not stored.
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
import type { StoredEvent } from './copy-encoder.ts'
import { createFollowCounts, type MutableCounts } from './counts.ts'
import type { GapBounds } from './gap-bounds.ts'
import { MarkPrices } from './mark-prices.ts'
import { createRepeatWatch } from './repeats.ts'
import { firstState } from './sequence-state.ts'
import { observe } from './sequence.ts'
import { hasCountedIds, sequencedEvent } from './sequenced-event.ts'
import type { StreamEntry, StreamTable } from './stream-table.ts'
import type { ListedInstruments } from './symbol-ids.ts'

/** What the current batch holds except the rows, which are with their streams. */
export interface Gathered {
  event_count: number
  readonly gaps: Gap[]
  readonly prices: IndexPrice[]
  readonly listings: ListedInstruments[]
  readonly counts: MutableCounts
}

/** The connection number that answers have on the tape. */
const REST_CONNECTION = 0

export interface EventTaker {
  /** Takes an event of a frame. It advances the stream. */
  takeHeard(event: MarketEvent, connection: number): void
  /** Takes an event of an answer, which fills an old gap or holds a book. No stream advances. */
  takeAnswered(event: MarketEvent): void
  /** `is_counted`: the ids, if the channel has any, count how much is missing. */
  addGaps(stream: StreamEntry, gaps: readonly GapBounds[], is_counted?: boolean): void
}

/** Gets rows and gaps as soon as they are known, instead of the batch. */
export interface EventSink {
  takeRow(event: StoredEvent): void
  takeGap(gap: Gap): void
}

export function createGathered(): Gathered {
  return { event_count: 0, gaps: [], prices: [], listings: [], counts: createFollowCounts() }
}

/** `gathered` returns the current batch. With a sink it holds no rows and no gaps. */
export function createEventTaker(
  streams: StreamTable,
  choice: StreamChoice,
  books: Pick<BookKeeper, 'take'> | undefined,
  gathered: () => Gathered,
  sink?: EventSink,
): EventTaker {
  const addGap = (gap: Gap): void => {
    if (sink === undefined) gathered().gaps.push(gap)
    else sink.takeGap(gap)
  }
  const addRow = (stream: StreamEntry, event: StoredEvent): void => {
    if (sink === undefined) stream.rows?.push(event)
    else sink.takeRow(event)
  }
  const addGaps: EventTaker['addGaps'] = (stream, gaps, is_counted = true) => {
    const { exchange, symbol, channel } = stream
    for (const gap of gaps) {
      // After a new listing the old and new ids do not belong to one sequence. What the operator
      // chose not to record must not be requested either. A gap without ids is never refilled.
      const { cause } = gap
      const is_chosen = cause === 'delisted' || cause === 'operator'
      const has_ids = is_counted && CHANNELS_WITH_IDS.has(channel) && !is_chosen
      const ids = has_ids ? {} : { from_id: null, to_id: null }
      addGap({ exchange, symbol, channel, ...gap, ...ids })
    }
  }
  const keepBook = (event: DepthEvent, in_stream: boolean): void => {
    const gap = books?.take(event, in_stream)
    if (gap !== undefined) addGap(gap)
  }
  /** Returns the event with the time of its row; undefined if another socket delivered it. */
  const hearOnce = (
    stream: StreamEntry,
    event: MarketEvent,
    connection: number,
    is_secondary: boolean,
  ): MarketEvent | undefined => {
    stream.repeats ??= createRepeatWatch(is_secondary ? undefined : stream.state)
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
    const gaps = observe(stream.state, sequenced)
    if (gaps.length > 0) addGaps(stream, gaps, hasCountedIds(event))
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
    else addRow(stream, event)
    into.counts.events[stream.channel]++
  }
  /**
   * A change without a known previous price gives no row. A stream begins with a complete price.
   */
  const storeMarkPrice = (
    stream: StreamEntry,
    event: MarkPrice | MarkPriceChange,
    connection: number,
  ): void => {
    stream.mark_prices ??= new MarkPrices()
    const row = stream.mark_prices.take(event, connection)
    if (row === undefined) return
    addRow(stream, row)
    gathered().counts.events.mark_price++
  }
  return {
    addGaps,
    takeHeard(event, connection) {
      const stream = streams.of(event.exchange, event.symbol, channelOf(event))
      const is_secondary = isSecondary(event, choice)
      const is_untimed = timeSourceOf(event) === 'receive'
      const timed = is_untimed ? hearOnce(stream, event, connection, is_secondary) : event
      if (!is_secondary) watchSequence(stream, event, connection)
      if (timed === undefined) countRepeated(stream)
      else store(stream, timed, connection)
      if (event.kind !== 'depth') return
      if (event.depth_kind === 'diff') stream.last_change = event
      keepBook(event, true)
    },
    takeAnswered(event) {
      const stream = streams.of(event.exchange, event.symbol, channelOf(event))
      const timed = timeSourceOf(event) === 'stream' ? timedByStream(stream, event) : event
      store(stream, timed, REST_CONNECTION)
      if (timed.kind === 'depth') keepBook(timed, false)
    },
  }
}

/**
 * A snapshot without a time gets the time of the newest update before it plus the time that passed
 * since, so it sorts among its updates. Its receive time is by another clock, and in a replay years
 * later.
 */
function timedByStream({ last_change }: StreamEntry, event: MarketEvent): MarketEvent {
  if (last_change === undefined) return event
  const passed_us = Math.max(0, event.ts_ingest - last_change.ts_ingest)
  return { ...event, ts_exchange: micros(last_change.ts_exchange + passed_us) }
}

/** If diffs are recorded too, only they decide what is missing from the book. */
function isSecondary(event: MarketEvent, choice: StreamChoice): boolean {
  if (event.kind !== 'depth' || event.depth_kind !== 'partial') return false
  return depthStreamsOf(choice).includes('diff')
}
