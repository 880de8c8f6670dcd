/**
 * Every column of quotes and trades by the second against exact rationals made of decimal texts:
 * awkward ticks and lots, sides that are empty, and nothing of our own arithmetic.
 */
import { expect, test } from 'vitest'
import type { Pool } from '#core/node/pool.ts'
import { isNearest, negated, product, ratio, rational, type Rational, sum, total } from '../../core/rational.ts'
import { createTestDatabase } from '../../support/database.ts'
import { seeded } from './support.ts'

const START_MS = Date.parse('2026-03-01T12:30:00Z')
const SECONDS = 40
const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const TWO = rational('2')
const ZERO = rational('0')

const random = seeded(SEED)
const below = (end: number): number => Math.floor(random() * end)

/** A decimal of at most 15 digits with so many behind the point. */
function text(digits: number, behind: number): string {
  const all = String(1 + below(10 ** digits - 1)).padStart(behind + 1, '0')
  return behind === 0 ? all : `${all.slice(0, -behind)}.${all.slice(-behind)}`
}

/** Ticks of a symbol: some have many digits, some are tiny. */
const SCALES = [[6, 1, 5, 3], [7, 8, 9, 0], [9, 4, 4, 4], [11, 10, 12, 8]] as const

type Numbers = Readonly<Record<string, number | null>>

async function rowsOf(pool: Pool, name: string): Promise<ReadonlyMap<string, Numbers>> {
  const { rows } = await pool.query<{ key: string; row: Numbers }>(
    `select symbol_id || ' ' || extract(epoch from bucket)::bigint as key, to_jsonb(t) as row
     from generate_series(1, ${SCALES.length}) s,
       marketdata.${name}_of(s, '2026-03-01T12:00:00Z', '2026-03-01T13:00:00Z') t`,
  )
  return new Map(rows.map(({ key, row }) => [key, row]))
}

function expectExact(found: Numbers, expected: Readonly<Record<string, Rational | null>>, where: string): void {
  for (const [name, value] of Object.entries(expected)) {
    const is = found[name] ?? null
    const is_right = value === null || is === null ? value === is : isNearest(is, value)
    expect(is_right, `${where} ${name}: ${is}, not ${JSON.stringify(value, (_, part) => typeof part === 'bigint' ? String(part) : part)}`).toBe(true)
  }
}

const meanOf = (values: readonly Rational[]): Rational | null =>
  values.length === 0 ? null : ratio(total(values), rational(String(values.length)))

const isLess = (a: Rational, b: Rational): boolean => a.top * b.bottom < b.top * a.bottom
const extreme = (values: readonly Rational[], sign: 1 | -1): Rational | null =>
  values.reduce<Rational | null>((best, value) => {
    if (best === null) return value
    return (sign === 1 ? isLess(best, value) : isLess(value, best)) ? value : best
  }, null)

test(`quotes by the second: every column is the double nearest to the exact value (seed ${SEED})`, async () => {
  const { pool } = await createTestDatabase()
  await pool.query("select marketdata.ensure_hour('book_ticker', '2026-03-01T12:00:00Z')")
  type Side = readonly [price: string, qty: string] | null
  const seconds = new Map<string, { bid: Side; ask: Side }[]>()
  for (const [index, [price_digits, price_behind, qty_digits, qty_behind]] of SCALES.entries()) {
    for (let n = 0; n < 250; n++) {
      const ms = START_MS + below(SECONDS * 1_000)
      const side = (): Side => (below(15) === 0 ? null : [text(price_digits, price_behind), text(qty_digits, qty_behind)])
      const [bid, ask] = [side(), side()]
      await pool.query(
        `insert into marketdata.book_ticker
           (ts_exchange, ts_ingest, symbol_id, update_id, best_bid, bid_qty, best_ask, ask_qty)
         values (to_timestamp($1::float8 / 1000), now(), $2, $3, $4, $5, $6, $7)`,
        [ms, index + 1, n, bid?.[0] ?? null, bid?.[1] ?? null, ask?.[0] ?? null, ask?.[1] ?? null],
      )
    }
    const { rows } = await pool.query<{ second: string; b: number | null; bq: number | null; a: number | null; aq: number | null }>(
      `select extract(epoch from date_trunc('second', ts_exchange))::bigint as second, best_bid as b, bid_qty as bq,
         best_ask as a, ask_qty as aq
       from marketdata.book_ticker where symbol_id = $1 order by ts_exchange, update_id`,
      [index + 1],
    )
    for (const { second, b, bq, a, aq } of rows) {
      const key = `${index + 1} ${second}`
      const list = seconds.get(key) ?? []
      // A double's shortest text is the decimal that was written.
      list.push({ bid: b === null ? null : [String(b), String(bq)], ask: a === null ? null : [String(a), String(aq)] })
      seconds.set(key, list)
    }
  }
  const found = await rowsOf(pool, 'bt_1s')
  expect(found.size).toBe(seconds.size)
  for (const [key, quotes] of seconds) {
    const of = (pick: (quote: (typeof quotes)[number]) => string | undefined): Rational[] =>
      quotes.flatMap((quote) => pick(quote) ?? []).map(rational)
    const exact = quotes.flatMap(({ bid, ask }) => {
      if (bid === null || ask === null) return []
      const [b, bq, a, aq] = [bid[0], bid[1], ask[0], ask[1]].map(rational) as [Rational, Rational, Rational, Rational]
      const mid = ratio(sum(a, b), TWO)
      const micro = ratio(sum(product(a, bq), product(b, aq)), sum(bq, aq))
      return [{ mid, micro, spread: sum(a, negated(b)) }]
    })
    let ofi = ZERO
    for (const [i, { bid, ask }] of quotes.entries()) {
      const before = quotes[i - 1]
      if (before === undefined || bid === null || ask === null || before.bid === null || before.ask === null) continue
      const [b, b0, a, a0] = [bid[0], before.bid[0], ask[0], before.ask[0]].map(Number) as [number, number, number, number]
      if (b >= b0) ofi = sum(ofi, rational(bid[1]))
      if (b <= b0) ofi = sum(ofi, negated(rational(before.bid[1])))
      if (a <= a0) ofi = sum(ofi, negated(rational(ask[1])))
      if (a >= a0) ofi = sum(ofi, rational(before.ask[1]))
    }
    const bid_qtys = of((quote) => quote.bid?.[1])
    const ask_qtys = of((quote) => quote.ask?.[1])
    expectExact(found.get(key)!, {
      mid_high: extreme(exact.map(({ mid }) => mid), 1),
      mid_low: extreme(exact.map(({ mid }) => mid), -1),
      mid_mean: meanOf(exact.map(({ mid }) => mid)),
      spread_min: extreme(exact.map(({ spread }) => spread), -1),
      spread_max: extreme(exact.map(({ spread }) => spread), 1),
      spread_mean: meanOf(exact.map(({ spread }) => spread)),
      bid_qty_mean: meanOf(bid_qtys),
      ask_qty_mean: meanOf(ask_qtys),
      bid_qty_max: extreme(bid_qtys, 1),
      ask_qty_min: extreme(ask_qtys, -1),
      bid_high: extreme(of((quote) => quote.bid?.[0]), 1),
      ask_low: extreme(of((quote) => quote.ask?.[0]), -1),
      microprice_mean: meanOf(exact.map(({ micro }) => micro)),
      ofi_inside: ofi,
    }, key)
    expect(found.get(key)!['quote_count']).toBe(quotes.length)
  }
})

test(`trades by the second: every column is the double nearest to the exact value (seed ${SEED})`, async () => {
  const { pool } = await createTestDatabase()
  await pool.query("select marketdata.ensure_hour('trades', '2026-03-01T12:00:00Z')")
  const seconds = new Map<string, { price: Rational; qty: Rational; is_sell: boolean }[]>()
  for (const [index, [price_digits, price_behind, qty_digits, qty_behind]] of SCALES.entries()) {
    for (let n = 0; n < 250; n++) {
      const second = below(SECONDS)
      const [price, qty, is_sell] = [text(price_digits, price_behind), text(qty_digits, qty_behind), below(2) === 0]
      await pool.query(
        `insert into marketdata.trades (ts_exchange, ts_ingest, symbol_id, agg_trade_id, price, qty, is_buyer_maker)
         values (to_timestamp($1::float8 / 1000), now(), $2, $3, $4, $5, $6)`,
        [START_MS + second * 1_000 + below(1_000), index + 1, n, price, qty, is_sell],
      )
      const key = `${index + 1} ${START_MS / 1_000 + second}`
      seconds.set(key, [...(seconds.get(key) ?? []), { price: rational(price), qty: rational(qty), is_sell }])
    }
  }
  const found = await rowsOf(pool, 'trade_1s')
  expect(found.size).toBe(seconds.size)
  for (const [key, trades] of seconds) {
    const volume = total(trades.map(({ qty }) => qty))
    const notional = total(trades.map(({ price, qty }) => product(price, qty)))
    const of = (is_sell: boolean): Rational => total(trades.filter((trade) => trade.is_sell === is_sell).map(({ qty }) => qty))
    const prices = trades.map(({ price }) => price)
    expectExact(found.get(key)!, {
      high: extreme(prices, 1),
      low: extreme(prices, -1),
      volume,
      notional,
      buy_volume: of(false),
      sell_volume: of(true),
      vwap: ratio(notional, volume),
      buy_ratio: ratio(of(false), volume),
    }, key)
  }
})
