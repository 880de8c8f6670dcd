/**
 * Compares every column of features_1s, labels_1s and features_100ms, bit for bit, with rationals
 * computed from decimal texts as docs/features.md says. Runs on random days with awkward ticks and
 * lots. Shares the input types with the program, but none of its arithmetic.
 */
import { expect, test } from 'vitest'
import { FEATURES_100MS, FEATURES_1S, LABELS_1S } from '#core/features.ts'
import { SECOND_US } from '#core/time.ts'
import { bookRows } from './book.ts'
import { build, expectExact, randomFit, secondsOf } from './build.ts'
import { randomMarket, type Scales } from './market.ts'
import { isBlind, quoteRows, tradeRows } from './quotes.ts'

const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const SECONDS = 420

const SCALES: Readonly<Record<string, Scales>> = {
  'ticks of 0.1, lots of 0.001': {
    price_digits: 1,
    first_price: 618_003,
    qty_digits: 3,
    qty_max: 30_000,
  },
  'a price of 0.0000123456, whole lots': {
    price_digits: 10,
    first_price: 123_456,
    qty_digits: 0,
    qty_max: 9e8,
  },
  'lots of 1e-12, in quantities of 15 digits': {
    price_digits: 2,
    first_price: 181_234,
    qty_digits: 12,
    qty_max: 9e14,
  },
  'a price near 1, quantities around 1': {
    price_digits: 5,
    first_price: 100_003,
    qty_digits: 8,
    qty_max: 2e8,
  },
}

const largestQty = ({ qty_max, qty_digits }: Scales): number => qty_max / 10 ** qty_digits

function everyColumn(counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts))
    expect(count, `rows with ${name}`).toBeGreaterThan(20)
}

for (const [index, [name, scales]] of Object.entries(SCALES).entries()) {
  test(`${name}: seconds and labels (seed ${SEED})`, async () => {
    const market = randomMarket(SEED + index, SECONDS, scales)
    const fit = randomFit(SEED + index, market, largestQty(scales))
    const day = await build(market, 'features_1s', fit)
    const { rows, labels } = secondsOf(market, fit)
    everyColumn(expectExact(day.columns, rows, FEATURES_1S))
    everyColumn(expectExact(day.labels!, labels, LABELS_1S))
    expect(isBlind(market.trade_gaps, SECOND_US, Math.floor(SECONDS * 0.84) + 1)).toBe(true)
  })

  test(`${name}: tenths of a second (seed ${SEED})`, async () => {
    const [step_us, seconds] = [SECOND_US / 10, 40]
    const market = randomMarket(SEED + index + 50, seconds, scales)
    const fit = randomFit(SEED + index + 50, market, largestQty(scales))
    const day = await build(market, 'features_100ms', fit)
    const row_count = seconds * 10
    const quotes = quoteRows(market, step_us, row_count, fit.stoikov)
    const trades = tradeRows(market, step_us, row_count)
    const books = bookRows(market, step_us, row_count, fit.ofi_weights)
    const rows = quotes.map(({ columns }, row) => ({
      ...columns,
      ...trades[row]!.columns,
      ...books[row],
    }))
    everyColumn(expectExact(day.columns, rows, FEATURES_100MS))
    expect(rows).toHaveLength(row_count)
  })
}
