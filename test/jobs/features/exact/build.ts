/** Builds a market's columns with the program, and the same columns as rationals. */
import { expect } from 'vitest'
import type { Feature } from '#core/features.ts'
import { micros, SECOND_US } from '#core/time.ts'
import type { DayReader, DaySymbol } from '../../../../jobs/day/events.ts'
import type { Fit } from '../../../../jobs/features/fit/fit.ts'
import {
  buildSymbolDay,
  type SymbolDay,
  type SymbolTask,
} from '../../../../jobs/features/symbol-day.ts'
import { isNearest } from '../../../core/rational.ts'
import { randomNumbers } from '../random.ts'
import { bookRows } from './book.ts'
import { levelsOf, type Market } from './market.ts'
import { liquidationRow, markRow, quoteRows, type Row, tradeRows } from './quotes.ts'
import { labelRows, vpinRows, windowRows } from './windows.ts'

const CHANNELS = ['book_ticker', 'trades', 'depth_events', 'mark_price', 'liquidations'] as const
const column = <T>(rows: readonly T[], pick: (row: T) => number): Float64Array =>
  Float64Array.from(rows, pick)
const bit = <T>(rows: readonly T[], pick: (row: T) => boolean): Uint8Array =>
  Uint8Array.from(rows, (row) => (pick(row) ? 1 : 0))

async function* once<T>(chunk: T): AsyncGenerator<T> {
  yield await Promise.resolve(chunk)
}

function readerOf(market: Market): DayReader {
  const { quotes, trades, marks, liquidations } = market
  return {
    quotes: () =>
      once({
        row_count: quotes.length,
        ts_exchange: column(quotes, ({ ts }) => ts),
        update_id: column(quotes, ({ ts }) => ts),
        best_bid: column(quotes, ({ bid }) => Number(bid?.price ?? NaN)),
        bid_qty: column(quotes, ({ bid }) => Number(bid?.qty ?? NaN)),
        best_ask: column(quotes, ({ ask }) => Number(ask?.price ?? NaN)),
        ask_qty: column(quotes, ({ ask }) => Number(ask?.qty ?? NaN)),
      }),
    trades: () =>
      once({
        row_count: trades.length,
        ts_exchange: column(trades, ({ ts }) => ts),
        price: column(trades, ({ price }) => Number(price)),
        qty: column(trades, ({ qty }) => Number(qty)),
        is_buyer_maker: bit(trades, ({ is_sell }) => is_sell),
      }),
    marks: () =>
      once({
        row_count: marks.length,
        ts_exchange: column(marks, ({ ts }) => ts),
        mark_price: column(marks, ({ mark }) => Number(mark)),
        index_price: column(marks, ({ index }) => Number(index ?? NaN)),
        funding_rate: column(marks, ({ funding }) => Number(funding ?? NaN)),
      }),
    liquidations: () =>
      once({
        row_count: liquidations.length,
        ts_exchange: column(liquidations, ({ ts }) => ts),
        is_buy: bit(liquidations, ({ is_buy }) => is_buy),
        filled_qty: column(liquidations, ({ qty }) => Number(qty)),
      }),
    depth: () => once(depthOf(market)),
    quoteBefore: () => Promise.resolve(undefined),
    markBefore: () => Promise.resolve(undefined),
  }
}

function depthOf({ chains }: Market) {
  let id = 100
  return chains.flatMap(({ snapshot, updates }) => {
    // Ids are missing between two chains.
    id += 10
    const whole = {
      depth_kind: 'snapshot' as const,
      ts_exchange: micros(updates[0]!.ts - 1),
      first_update_id: null,
      final_update_id: id,
      prev_final_update_id: null,
      bids: levelsOf(snapshot.bids),
      asks: levelsOf(snapshot.asks),
    }
    const diffs = updates.map(({ ts, bids, asks }) => ({
      depth_kind: 'diff' as const,
      ts_exchange: micros(ts),
      first_update_id: id + 1,
      prev_final_update_id: id,
      final_update_id: (id += 1),
      bids: levelsOf(bids),
      asks: levelsOf(asks),
    }))
    return [whole, ...diffs]
  })
}

export function build(market: Market, made: SymbolTask['made'], fit: Fit): Promise<SymbolDay> {
  const [from, last_ts] = [micros(0), micros(market.seconds * SECOND_US - 1)]
  const recorded = {
    book_ticker: market.quotes,
    trades: market.trades,
    depth_events: market.chains,
    mark_price: market.marks,
    liquidations: market.liquidations,
  }
  const channels = CHANNELS.filter((channel) => recorded[channel].length > 0)
  const gaps = [
    ...market.quote_gaps.map((gap) => ({ ...gap, channel: 'book_ticker' as const })),
    ...market.trade_gaps.map((gap) => ({ ...gap, channel: 'trades' as const })),
  ]
  const symbol: DaySymbol = {
    symbol_id: 1,
    exchange: 'binance-futures',
    symbol: 'BTCUSDT',
    tick_size: null,
    first_ts: from,
    last_ts,
    channels,
    gaps,
  }
  const task: SymbolTask = {
    made,
    symbol,
    exchange_day: { from, last_ts, channels },
    fit,
    is_complete: true,
  }
  return buildSymbolDay(readerOf(market), task, new AbortController().signal)
}

/** A fit that a day before might have left: arbitrary numbers of the right kind. */
export function randomFit(seed: number, market: Market, largest_qty: number) {
  const random = randomNumbers(seed)
  const bucket_volume = largest_qty * (1 + random())
  return {
    stoikov: {
      spread_unit: Number(market.tick),
      g: Array.from({ length: 50 }, (_, i) =>
        i % 11 === 3 ? null : (random() - 0.5) * Number(market.tick),
      ),
    },
    ofi_weights: Array.from({ length: 10 }, () => random() / 10 - 0.01),
    vpin: {
      bucket_volume,
      imbalances: Array.from({ length: 45 }, () => random() * bucket_volume),
      buy_volume: (random() * bucket_volume) / 3,
      sell_volume: (random() * bucket_volume) / 3,
    },
  }
}

/** Every column of features_1s and labels_1s; null rows are undefined. */
export function secondsOf(market: Market, fit: ReturnType<typeof randomFit>) {
  const { seconds } = market
  const quotes = quoteRows(market, SECOND_US, seconds, fit.stoikov)
  const trades = tradeRows(market, SECOND_US, seconds)
  const everyRow = <T>(make: (row: number) => T): readonly T[] =>
    Array.from({ length: seconds }, (_, row) => make(row))
  const parts = [
    quotes.map(({ columns }) => columns),
    market.trades.length === 0 ? [] : trades.map(({ columns }) => columns),
    windowRows(quotes, trades),
    market.trades.length === 0 ? [] : vpinRows(trades, fit.vpin),
    bookRows(market, SECOND_US, seconds, fit.ofi_weights),
    everyRow((row) => markRow(market, (row + 1) * SECOND_US)),
    market.liquidations.length === 0 ? [] : everyRow((row) => liquidationRow(market, row)),
  ]
  const rows = quotes.map((_, row) => Object.assign({}, ...parts.map((part) => part[row])) as Row)
  return { rows, labels: labelRows(quotes) }
}

/** Compares every value of a registry's columns bit for bit. Returns how many values each has. */
export function expectExact(
  found: Readonly<Record<string, Float64Array>>,
  rows: readonly Row[],
  registry: readonly Feature[],
): Readonly<Record<string, number>> {
  const names = registry
    .map(({ name }) => name)
    .filter((name) => !['ts', 'exchange', 'symbol'].includes(name))
  const counts: Record<string, number> = {}
  for (const name of names) {
    const values = found[name]
    expect(values, `column ${name}`).toBeDefined()
    expect(values!.length, name).toBe(rows.length)
    let known_count = 0
    for (const [row, expected] of rows.entries()) {
      const value = values![row]!
      if (expected[name] === undefined) {
        if (!Number.isNaN(value)) expect.fail(`${name} of row ${row} is ${value}, not null`)
        continue
      }
      known_count += 1
      const is_right = !Number.isNaN(value) && isNearest(value, expected[name])
      if (!is_right)
        expect.fail(
          `${name} of row ${row} is ${value}, not the double nearest to ${approximate(expected[name])}`,
        )
    }
    counts[name] = known_count
  }
  return counts
}

function approximate({ top, bottom }: { readonly top: bigint; readonly bottom: bigint }): string {
  const scaled = (top * 10n ** 40n) / bottom
  return `${scaled}e-40`
}
