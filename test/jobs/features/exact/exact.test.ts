/**
 * Every column of features_1s, labels_1s and features_100ms against rationals made of decimal texts
 * by the words of docs/features.md: bit for bit, on random days of awkward ticks and lots. Shares
 * with the program the types of its input, and nothing of its arithmetic.
 */
import { expect, test } from 'vitest'
import { FEATURES_100MS, FEATURES_1S, LABELS_1S, type Feature } from '#core/features.ts'
import { micros, SECOND_US } from '#core/time.ts'
import { buildSymbolDay, type SymbolDay, type SymbolTask } from '../../../../jobs/features/symbol-day.ts'
import type { Fit } from '../../../../jobs/features/fit/fit.ts'
import type { DayReader, DaySymbol } from '../../../../jobs/source/source.ts'
import { isNearest } from '../../../core/rational.ts'
import { randomNumbers } from '../random.ts'
import { bookRows } from './book.ts'
import { levelsOf, type Market, randomMarket, type Scales } from './market.ts'
import { isBlind, liquidationRow, markRow, quoteRows, type Row, tradeRows } from './quotes.ts'
import { labelRows, vpinRows, windowRows } from './windows.ts'

const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const SECONDS = 420

const SCALES: Readonly<Record<string, Scales>> = {
  'ticks of 0.1, lots of 0.001': { price_digits: 1, first_price: 618_003, qty_digits: 3, qty_max: 30_000 },
  'a price of 0.0000123456, whole lots': { price_digits: 10, first_price: 123_456, qty_digits: 0, qty_max: 9e8 },
  'lots of 1e-12, in quantities of 15 digits': { price_digits: 2, first_price: 181_234, qty_digits: 12, qty_max: 9e14 },
  'a price near 1, quantities around 1': { price_digits: 5, first_price: 100_003, qty_digits: 8, qty_max: 2e8 },
}

const column = <T>(rows: readonly T[], pick: (row: T) => number): Float64Array => Float64Array.from(rows, pick)
const bit = <T>(rows: readonly T[], pick: (row: T) => boolean): Uint8Array => Uint8Array.from(rows, (row) => (pick(row) ? 1 : 0))

function readerOf(market: Market): DayReader {
  const once = async function* <T>(chunk: T): AsyncGenerator<T> {
    yield await Promise.resolve(chunk)
  }
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
    // Between two chains ids are missing.
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

function build(market: Market, made: SymbolTask['made'], fit: Fit): Promise<SymbolDay> {
  const [from, last_ts] = [micros(0), micros(market.seconds * SECOND_US - 1)]
  const channels = ['book_ticker', 'trades', 'depth_events', 'mark_price', 'liquidations'] as const
  const gaps = [
    ...market.quote_gaps.map((gap) => ({ ...gap, channel: 'book_ticker' as const })),
    ...market.trade_gaps.map((gap) => ({ ...gap, channel: 'trades' as const })),
  ]
  const symbol: DaySymbol = {
    symbol_id: 1,
    exchange: 'binance-futures',
    symbol: 'BTCUSDT',
    first_ts: from,
    last_ts,
    channels,
    gaps,
  }
  const task: SymbolTask = {
    made,
    symbol,
    exchange_day: { from, last_ts, channels },
    places: { exchange: 0, symbol: 0 },
    fit,
    is_complete: true,
  }
  return buildSymbolDay(readerOf(market), task, new AbortController().signal)
}

/** What a day before might have left: any numbers of the right kind. */
function randomFit(seed: number, market: Market, { qty_max, qty_digits }: Scales) {
  const random = randomNumbers(seed)
  const bucket_volume = (qty_max / 10 ** qty_digits) * (1 + random())
  return {
    stoikov: {
      spread_unit: Number(market.tick),
      g: Array.from({ length: 50 }, (_, i) => (i % 11 === 3 ? null : (random() - 0.5) * Number(market.tick))),
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

/** Names of a registry's columns that hold values, each with its rows. */
function expectExact(found: Readonly<Record<string, Float64Array>>, rows: readonly Row[], registry: readonly Feature[]): void {
  const names = registry.map(({ name }) => name).filter((name) => !['ts', 'exchange', 'symbol'].includes(name))
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
      if (!is_right) expect.fail(`${name} of row ${row} is ${value}, not the double nearest to ${approximate(expected[name])}`)
    }
    expect(known_count, `rows with ${name}`).toBeGreaterThan(20)
  }
}

function approximate({ top, bottom }: { readonly top: bigint; readonly bottom: bigint }): string {
  const scaled = (top * 10n ** 40n) / bottom
  return `${scaled}e-40`
}

for (const [index, [name, scales]] of Object.entries(SCALES).entries()) {
  test(`${name}: seconds and labels (seed ${SEED})`, async () => {
    const market = randomMarket(SEED + index, SECONDS, scales)
    const fit = randomFit(SEED + index, market, scales)
    const day = await build(market, 'features_1s', fit)
    const quotes = quoteRows(market, SECOND_US, SECONDS, fit.stoikov)
    const trades = tradeRows(market, SECOND_US, SECONDS)
    const parts = [
      quotes.map(({ columns }) => columns),
      trades.map(({ columns }) => columns),
      windowRows(quotes, trades),
      vpinRows(trades, fit.vpin),
      bookRows(market, SECOND_US, SECONDS, fit.ofi_weights),
      Array.from({ length: SECONDS }, (_, row) => markRow(market, (row + 1) * SECOND_US)),
      Array.from({ length: SECONDS }, (_, row) => liquidationRow(market, row)),
    ]
    const rows = quotes.map((_, row) => Object.assign({}, ...parts.map((part) => part[row])) as Row)
    expectExact(day.columns, rows, FEATURES_1S)
    expectExact(day.labels!, labelRows(quotes), LABELS_1S)
    expect(isBlind(market.trade_gaps, SECOND_US, Math.floor(SECONDS * 0.84) + 1)).toBe(true)
  })

  test(`${name}: tenths of a second (seed ${SEED})`, async () => {
    const [step_us, seconds] = [SECOND_US / 10, 40]
    const market = randomMarket(SEED + index + 50, seconds, scales)
    const fit = randomFit(SEED + index + 50, market, scales)
    const day = await build(market, 'features_100ms', fit)
    const row_count = seconds * 10
    const quotes = quoteRows(market, step_us, row_count, fit.stoikov)
    const trades = tradeRows(market, step_us, row_count)
    const books = bookRows(market, step_us, row_count, fit.ofi_weights)
    const rows = quotes.map(({ columns }, row) => ({ ...columns, ...trades[row]!.columns, ...books[row] }))
    expectExact(day.columns, rows, FEATURES_100MS)
    expect(rows).toHaveLength(row_count)
  })
}
