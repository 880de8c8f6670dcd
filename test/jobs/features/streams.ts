/** Random streams of one symbol in memory, and builds of them as far as a time. */
import { HOUR_US, type Micros, micros, SECOND_US } from '#core/time.ts'
import type { DepthRow } from '../../../jobs/day/depth-reader.ts'
import type { CarriedMark, CarriedQuote, ChannelGap, DayReader } from '../../../jobs/day/events.ts'
import type { Fit } from '../../../jobs/features/fit/fit.ts'
import { buildSymbolDay, type SymbolTask } from '../../../jobs/features/symbol-day.ts'
import { randomNumbers } from './random.ts'

export const DAY = Date.parse('2024-08-08T00:00:00Z') * 1_000
export const END = DAY + 3 * HOUR_US + 200 * SECOND_US
const signal = new AbortController().signal

interface Timed {
  readonly ts_exchange: Micros
}

interface Trade extends Timed {
  readonly price: number
  readonly qty: number
  readonly is_buyer_maker: number
}

interface Liquidation extends Timed {
  readonly is_buy: number
  readonly filled_qty: number
}

export interface Market {
  readonly quotes: readonly CarriedQuote[]
  readonly trades: readonly Trade[]
  readonly marks: readonly CarriedMark[]
  readonly liquidations: readonly Liquidation[]
  readonly depth: readonly DepthRow[]
  readonly gaps: readonly ChannelGap[]
}

/**
 * Streams begin a while before midnight or in the first hour, fall silent and resume. Snapshots
 * arrive up to `snapshot_late_s` after their last change.
 */
export function makeMarket(seed: number, snapshot_late_s = 50): Market {
  const random = randomNumbers(seed)
  const times = (mean_s: number, start = DAY - 90 * SECOND_US): Micros[] => {
    const found: Micros[] = []
    for (let ts = start; ts < END; ts += Math.ceil(random() * 2 * mean_s * SECOND_US)) {
      found.push(micros(ts))
      if (random() < 0.002) ts += Math.floor(random() * 1.5 * HOUR_US)
    }
    return found
  }
  const late_start = seed % 2 === 0 ? DAY + Math.floor(random() * HOUR_US) : undefined
  const price = (): number => 1_000 + Math.round(random() * 40) / 10
  const qty = (): number => Math.ceil(random() * 5_000) / 1_000
  const gaps: ChannelGap[] = []
  for (const channel of ['book_ticker', 'trades', 'depth_events', 'mark_price'] as const) {
    for (let ts = DAY; ts < END; ts += Math.floor(random() * 2 * HOUR_US)) {
      const from_ts = micros(ts)
      const to_ts = micros(ts + Math.floor(random() * 120 * SECOND_US))
      gaps.push({
        channel,
        from_ts,
        to_ts,
        from_id: null,
        to_id: null,
        cause: 'disconnect',
        repaired: random() < 0.3,
      })
    }
  }
  return {
    quotes: times(4, late_start).map((ts_exchange, i) => {
      const [best_bid, is_empty] = [price(), random() < 0.02]
      return {
        ts_exchange,
        update_id: i + 1,
        best_bid,
        bid_qty: qty(),
        best_ask: is_empty ? NaN : best_bid + 0.1,
        ask_qty: is_empty ? NaN : qty(),
      }
    }),
    trades: times(5, late_start).map((ts_exchange) => ({
      ts_exchange,
      price: price(),
      qty: qty(),
      is_buyer_maker: random() < 0.5 ? 1 : 0,
    })),
    marks: times(20).map((ts_exchange) => ({
      ts_exchange,
      mark_price: price(),
      index_price: random() < 0.1 ? NaN : price(),
      funding_rate: 0.0001,
    })),
    liquidations: times(300).map((ts_exchange) => ({
      ts_exchange,
      is_buy: random() < 0.5 ? 1 : 0,
      filled_qty: qty(),
    })),
    depth: makeDepth(random, times(6), { chained: seed % 3 === 0, snapshot_late_s }),
    gaps: gaps.toSorted((a, b) => a.from_ts - b.from_ts),
  }
}

/** Some diffs are lost. Snapshots arrive from time to time. */
function makeDepth(
  random: () => number,
  times: readonly number[],
  { chained, snapshot_late_s }: { readonly chained: boolean; readonly snapshot_late_s: number },
): readonly DepthRow[] {
  const rows: DepthRow[] = []
  let id = 1_000
  const level = (side: 1 | -1, rank: number): readonly [number, number] => [
    1_000 + side * (rank + 1) * 0.1,
    Math.ceil(random() * 5_000) / 1_000,
  ]
  for (const [i, ts] of times.entries()) {
    // A long silence in the data means a lost stream: its rows become unknown, but not at once.
    if (i > 0 && ts - times[i - 1]! > 600 * SECOND_US) id += 7
    const before = id
    id += 1 + Math.floor(random() * 3)
    const levels = (side: 1 | -1) =>
      Array.from({ length: 1 + Math.floor(random() * 3) }, () => {
        const [price, qty] = level(side, Math.floor(random() * 14))
        return [price, random() < 0.2 ? 0 : qty] as const
      })
    const change = {
      final_update_id: id,
      first_update_id: before + 1,
      prev_final_update_id: chained ? before : null,
      bids: levels(-1),
      asks: levels(1),
    }
    if (random() > 0.01) rows.push({ ts_exchange: micros(ts), depth_kind: 'diff', ...change })
    if (i % 60 !== 3) continue
    const depth = (side: 1 | -1) => Array.from({ length: 12 }, (_, rank) => level(side, rank))
    rows.push({
      ts_exchange: micros(ts + Math.floor(random() * snapshot_late_s * SECOND_US)),
      depth_kind: 'snapshot',
      final_update_id: id,
      first_update_id: null,
      prev_final_update_id: null,
      bids: depth(-1),
      asks: depth(1),
    })
  }
  return rows.toSorted(
    (a, b) => a.ts_exchange - b.ts_exchange || a.final_update_id - b.final_update_id,
  )
}

/** Rows before `to`, in chunks of a few. */
export function readerOf(market: Market, to: number): DayReader {
  function* parts<Row extends Timed>(
    rows: readonly Row[],
    from: number,
    size: number,
    end = Infinity,
  ) {
    const wanted = rows.filter(({ ts_exchange: ts }) => ts >= from && ts < to && ts < end)
    for (let at = 0; at < wanted.length; at += size) yield wanted.slice(at, at + size)
  }
  const before = <Row extends Timed>(rows: readonly Row[]) =>
    rows.findLast(({ ts_exchange: ts }) => ts < Math.min(DAY, to))
  return {
    async *quotes(_symbol, from = micros(DAY), end) {
      for (const part of parts(market.quotes, from, 100, end)) {
        yield { row_count: part.length, ...floats(part, QUOTE_COLUMNS) }
      }
    },
    async *trades(_symbol, from = micros(DAY), end) {
      for (const part of parts(market.trades, from, 100, end)) {
        const is_buyer_maker = Uint8Array.from(part, (row) => row.is_buyer_maker)
        yield { row_count: part.length, ...floats(part, TRADE_COLUMNS), is_buyer_maker }
      }
    },
    async *marks(_symbol, from = micros(DAY)) {
      for (const part of parts(market.marks, from, 100)) {
        yield { row_count: part.length, ...floats(part, MARK_COLUMNS) }
      }
    },
    async *liquidations(_symbol, from = micros(DAY)) {
      for (const part of parts(market.liquidations, from, 100)) {
        const is_buy = Uint8Array.from(part, (row) => row.is_buy)
        yield { row_count: part.length, ...floats(part, ['ts_exchange', 'filled_qty']), is_buy }
      }
    },
    async *depth(_symbol, from = micros(DAY - HOUR_US), end) {
      yield* parts(market.depth, from, 30, end)
    },
    quoteBefore: async () => before(market.quotes),
    markBefore: async () => before(market.marks),
  }
}

const SIDES = ['best_bid', 'bid_qty', 'best_ask', 'ask_qty'] as const
const QUOTE_COLUMNS = ['ts_exchange', 'update_id', ...SIDES] as const
const TRADE_COLUMNS = ['ts_exchange', 'price', 'qty'] as const
const MARK_COLUMNS = ['ts_exchange', 'mark_price', 'index_price', 'funding_rate'] as const

function floats<Name extends string>(
  rows: readonly Readonly<Record<Name, number>>[],
  names: readonly Name[],
): Readonly<Record<Name, Float64Array>> {
  const columns = names.map((name) => [name, Float64Array.from(rows, (row) => row[name])])
  return Object.fromEntries(columns) as Record<Name, Float64Array>
}

const FIT: Fit = {
  stoikov: {
    spread_unit: 0.1,
    g: Array.from({ length: 50 }, (_, i) => (i % 7 === 0 ? null : i / 1_000)),
  },
  ofi_weights: Array.from({ length: 10 }, () => 0.1),
  vpin: { bucket_volume: 30, imbalances: [1, 2.5], buy_volume: 1, sell_volume: 0.5 },
}

/** As far as events before `to` go. */
export function taskOf(market: Market, made: SymbolTask['made'], to: number): SymbolTask {
  const inDay = [...market.quotes, ...market.trades, ...market.depth]
    .map(({ ts_exchange: ts }) => ts)
    .filter((ts) => ts >= DAY && ts < to)
  const [first_ts, last_ts] = [micros(Math.min(...inDay)), micros(Math.max(...inDay))]
  const channels = ['book_ticker', 'trades', 'depth_events', 'mark_price', 'liquidations'] as const
  return {
    made,
    symbol: {
      symbol_id: 1,
      exchange: 'deribit',
      symbol: 'X',
      tick_size: null,
      first_ts,
      last_ts,
      channels,
      gaps: market.gaps,
    },
    exchange_day: { from: micros(DAY), last_ts, channels },
    fit: FIT,
    is_complete: false,
  }
}

/** As far as events before `to` go. */
export function build(
  market: Market,
  made: SymbolTask['made'],
  to: number,
  resume?: Parameters<typeof buildSymbolDay>[3],
) {
  return buildSymbolDay(readerOf(market, to), taskOf(market, made, to), signal, resume)
}
