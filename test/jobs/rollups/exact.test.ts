/**
 * Compares every per-second column of quotes, trades and books with exact rationals computed from
 * decimal texts, with awkward ticks and lots and empty sides. Uses none of our own arithmetic.
 */
import { expect, test } from 'vitest'
import type { Pool } from '#core/node/pool.ts'
import {
  isNearest,
  negated,
  product,
  ratio,
  rational,
  type Rational,
  sum,
  total,
} from '../../core/rational.ts'
import { createTestDatabase } from '../../support/database.ts'
import { seeded } from './support.ts'

const START_MS = Date.parse('2026-03-01T12:30:00Z')
const SECONDS = 40
const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const TWO = rational('2')
const ZERO = rational('0')

const random = seeded(SEED)
const below = (end: number): number => Math.floor(random() * end)

/** A decimal of at most 15 digits, with this many decimal places. */
function text(digits: number, places: number): string {
  const all = String(1 + below(10 ** digits - 1)).padStart(places + 1, '0')
  return places === 0 ? all : `${all.slice(0, -places)}.${all.slice(-places)}`
}

/** Ticks of a symbol: some have many digits, some are tiny. */
const SCALES = [
  [6, 1, 5, 3],
  [7, 8, 9, 0],
  [9, 4, 4, 4],
  [11, 10, 12, 8],
] as const

type Numbers = Readonly<Record<string, number | null>>

async function rowsOf(pool: Pool, name: string): Promise<ReadonlyMap<string, Numbers>> {
  const { rows } = await pool.query<{ key: string; row: Numbers }>(
    `select symbol_id || ' ' || extract(epoch from bucket)::bigint as key, to_jsonb(t) as row
     from generate_series(1, ${SCALES.length}) s,
       marketdata.${name}_of(s, '2026-03-01T12:00:00Z', '2026-03-01T13:00:00Z') t`,
  )
  return new Map(rows.map(({ key, row }) => [key, row]))
}

function expectExact(
  found: Numbers,
  expected: Readonly<Record<string, Rational | null>>,
  where: string,
): void {
  const names = Object.keys(found).filter((name) => name !== 'symbol_id' && name !== 'bucket')
  expect(Object.keys(expected).toSorted()).toEqual(names.toSorted())
  for (const [name, value] of Object.entries(expected)) {
    const is = found[name] ?? null
    const is_right = value === null || is === null ? value === is : isNearest(is, value)
    expect(
      is_right,
      `${where} ${name}: ${is}, not ${JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? String(part) : part))}`,
    ).toBe(true)
  }
}

type Side = readonly [price: string, qty: string] | null
interface Quote {
  readonly bid: Side
  readonly ask: Side
}

/** Only for quotes with two sides. */
function exactOf({
  bid,
  ask,
}: Quote): Readonly<Record<'mid' | 'micro' | 'spread', Rational>> | undefined {
  if (bid === null || ask === null) return undefined
  const [b, bq, a, aq] = [bid[0], bid[1], ask[0], ask[1]].map(rational) as [
    Rational,
    Rational,
    Rational,
    Rational,
  ]
  return {
    mid: ratio(sum(a, b), TWO),
    micro: ratio(sum(product(a, bq), product(b, aq)), sum(bq, aq)),
    spread: sum(a, negated(b)),
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
  const seconds = new Map<string, Quote[]>()
  for (const [index, [price_digits, price_places, qty_digits, qty_places]] of SCALES.entries()) {
    for (let n = 0; n < 250; n++) {
      const ms = START_MS + below(SECONDS * 1_000)
      const side = (): Side =>
        below(15) === 0 ? null : [text(price_digits, price_places), text(qty_digits, qty_places)]
      const [bid, ask] = [side(), side()]
      await pool.query(
        `insert into marketdata.book_ticker
           (ts_exchange, ts_ingest, symbol_id, update_id, best_bid, bid_qty, best_ask, ask_qty)
         values (to_timestamp($1::float8 / 1000), now(), $2, $3, $4, $5, $6, $7)`,
        [ms, index + 1, n, bid?.[0] ?? null, bid?.[1] ?? null, ask?.[0] ?? null, ask?.[1] ?? null],
      )
    }
    const { rows } = await pool.query<{
      second: string
      b: number | null
      bq: number | null
      a: number | null
      aq: number | null
    }>(
      `select extract(epoch from date_trunc('second', ts_exchange))::bigint as second, best_bid as b, bid_qty as bq,
         best_ask as a, ask_qty as aq
       from marketdata.book_ticker where symbol_id = $1 order by ts_exchange, update_id`,
      [index + 1],
    )
    for (const { second, b, bq, a, aq } of rows) {
      const key = `${index + 1} ${second}`
      const list = seconds.get(key) ?? []
      // A double's shortest text is the decimal that was written.
      list.push({
        bid: b === null ? null : [String(b), String(bq)],
        ask: a === null ? null : [String(a), String(aq)],
      })
      seconds.set(key, list)
    }
  }
  const found = await rowsOf(pool, 'bt_1s')
  expect(found.size).toBe(seconds.size)
  for (const [key, quotes] of seconds) {
    const of = (pick: (quote: (typeof quotes)[number]) => string | undefined): Rational[] =>
      quotes.flatMap((quote) => pick(quote) ?? []).map(rational)
    const exact = quotes.flatMap((quote) => exactOf(quote) ?? [])
    let ofi = ZERO
    for (const [i, { bid, ask }] of quotes.entries()) {
      const before = quotes[i - 1]
      if (
        before === undefined ||
        bid === null ||
        ask === null ||
        before.bid === null ||
        before.ask === null
      )
        continue
      const [b, b0, a, a0] = [bid[0], before.bid[0], ask[0], before.ask[0]].map(Number) as [
        number,
        number,
        number,
        number,
      ]
      if (b >= b0) ofi = sum(ofi, rational(bid[1]))
      if (b <= b0) ofi = sum(ofi, negated(rational(before.bid[1])))
      if (a <= a0) ofi = sum(ofi, negated(rational(ask[1])))
      if (a >= a0) ofi = sum(ofi, rational(before.ask[1]))
    }
    const [first, last] = [exactOf(quotes[0]!), exactOf(quotes.at(-1)!)]
    const sides = Object.fromEntries(
      (['bid', 'ask'] as const).flatMap((side) => {
        const [prices, qtys] = [of((quote) => quote[side]?.[0]), of((quote) => quote[side]?.[1])]
        const at = (quote: (typeof quotes)[number], part: 0 | 1): Rational | null => {
          const value = quote[side]?.[part]
          return value === undefined ? null : rational(value)
        }
        return [
          [`${side}_open`, at(quotes[0]!, 0)],
          [`${side}_high`, extreme(prices, 1)],
          [`${side}_low`, extreme(prices, -1)],
          [`${side}_close`, at(quotes.at(-1)!, 0)],
          [`${side}_qty_open`, at(quotes[0]!, 1)],
          [`${side}_qty_close`, at(quotes.at(-1)!, 1)],
          [`${side}_qty_min`, extreme(qtys, -1)],
          [`${side}_qty_max`, extreme(qtys, 1)],
          [`${side}_qty_mean`, meanOf(qtys)],
        ] as const
      }),
    )
    expectExact(
      found.get(key)!,
      {
        ...sides,
        mid_open: first?.mid ?? null,
        mid_high: extreme(
          exact.map(({ mid }) => mid),
          1,
        ),
        mid_low: extreme(
          exact.map(({ mid }) => mid),
          -1,
        ),
        mid_close: last?.mid ?? null,
        mid_mean: meanOf(exact.map(({ mid }) => mid)),
        spread_min: extreme(
          exact.map(({ spread }) => spread),
          -1,
        ),
        spread_max: extreme(
          exact.map(({ spread }) => spread),
          1,
        ),
        spread_mean: meanOf(exact.map(({ spread }) => spread)),
        microprice_close: last?.micro ?? null,
        microprice_mean: meanOf(exact.map(({ micro }) => micro)),
        ofi_inside: ofi,
        quote_count: rational(String(quotes.length)),
      },
      key,
    )
  }
})

test(`trades by the second: every column is the double nearest to the exact value (seed ${SEED})`, async () => {
  const { pool } = await createTestDatabase()
  await pool.query("select marketdata.ensure_hour('trades', '2026-03-01T12:00:00Z')")
  const seconds = new Map<
    string,
    { ms: number; price: Rational; qty: Rational; is_sell: boolean }[]
  >()
  for (const [index, [price_digits, price_places, qty_digits, qty_places]] of SCALES.entries()) {
    for (let n = 0; n < 250; n++) {
      const second = below(SECONDS)
      const ms = START_MS + second * 1_000 + below(1_000)
      const [price, qty, is_sell] = [
        text(price_digits, price_places),
        text(qty_digits, qty_places),
        below(2) === 0,
      ]
      await pool.query(
        `insert into marketdata.trades (ts_exchange, ts_ingest, symbol_id, agg_trade_id, price, qty, is_buyer_maker)
         values (to_timestamp($1::float8 / 1000), now(), $2, $3, $4, $5, $6)`,
        [ms, index + 1, n, price, qty, is_sell],
      )
      const key = `${index + 1} ${START_MS / 1_000 + second}`
      seconds.set(key, [
        ...(seconds.get(key) ?? []),
        { ms, price: rational(price), qty: rational(qty), is_sell },
      ])
    }
  }
  const found = await rowsOf(pool, 'trade_1s')
  expect(found.size).toBe(seconds.size)
  for (const [key, unordered] of seconds) {
    // They were inserted in the order of their ids.
    const trades = unordered.toSorted((a, b) => a.ms - b.ms)
    const volume = total(trades.map(({ qty }) => qty))
    const notional = total(trades.map(({ price, qty }) => product(price, qty)))
    const of = (is_sell: boolean): Rational =>
      total(trades.filter((trade) => trade.is_sell === is_sell).map(({ qty }) => qty))
    const prices = trades.map(({ price }) => price)
    const count = (is_sell?: boolean): Rational =>
      rational(
        String(trades.filter((trade) => is_sell === undefined || trade.is_sell === is_sell).length),
      )
    expectExact(
      found.get(key)!,
      {
        open: prices[0]!,
        high: extreme(prices, 1),
        low: extreme(prices, -1),
        close: prices.at(-1)!,
        volume,
        notional,
        trade_count: count(),
        buy_count: count(false),
        sell_count: count(true),
        buy_volume: of(false),
        sell_volume: of(true),
        vwap: ratio(notional, volume),
        buy_ratio: ratio(of(false), volume),
      },
      key,
    )
  }
})

test(`books by the second: every column is the double nearest to the exact value (seed ${SEED})`, async () => {
  const { pool } = await createTestDatabase()
  for (const table of ['orderbook_topn', 'depth_events']) {
    await pool.query("select marketdata.ensure_hour($1, '2026-03-01T12:00:00Z')", [table])
  }
  type Level = readonly [price: string, qty: string]
  interface Book {
    readonly bids: readonly Level[]
    readonly asks: readonly Level[]
  }
  interface Second {
    readonly books: Book[]
    readonly changes: { readonly id: number; readonly bids: number; readonly asks: number }[]
  }
  const seconds = new Map<string, Second>()
  const sides = ['b', 'a'] as const
  const columns = sides
    .flatMap((side) =>
      Array.from({ length: 10 }, (_, k) => [`${side}${k + 1}_price`, `${side}${k + 1}_qty`]),
    )
    .flat()
  for (const [index, [price_digits, price_places, qty_digits, qty_places]] of SCALES.entries()) {
    const levels = (): Level[] =>
      Array.from({ length: below(8) === 0 ? below(10) : 10 }, () => [
        text(price_digits, price_places),
        text(qty_digits, qty_places),
      ])
    for (let n = 0; n < 120; n++) {
      const ms = START_MS + n * 250
      const key = `${index + 1} ${Math.floor(ms / 1_000)}`
      const second = seconds.get(key) ?? { books: [], changes: [] }
      seconds.set(key, second)
      const before = second.books.at(-1)
      // Half of the prices stay the same; otherwise every flow would be a whole level.
      const stay = (side: 'bids' | 'asks'): Level[] => {
        const drawn = levels()
        const best = before?.[side][0]
        if (best !== undefined && drawn[0] !== undefined && below(2) === 0)
          drawn[0] = [best[0], drawn[0][1]]
        return drawn
      }
      const book = { bids: stay('bids'), asks: stay('asks') }
      second.books.push(book)
      const cells = sides.flatMap((side) =>
        Array.from(
          { length: 10 },
          (_, k) => (side === 'b' ? book.bids : book.asks)[k] ?? [null, null],
        ).flat(),
      )
      await pool.query(
        `insert into marketdata.orderbook_topn (ts_exchange, symbol_id, final_update_id, ${columns.join(', ')})
         values (to_timestamp($1::float8 / 1000), $2, $3, ${columns.map((_, i) => `$${i + 4}`).join(', ')})`,
        [ms, index + 1, n, ...cells],
      )
      const change = { id: n, bids: below(4), asks: below(4) }
      second.changes.push(change)
      const array = (count: number): string =>
        `{${Array.from({ length: count }, () => '{1,2}').join(',')}}`
      await pool.query(
        `insert into marketdata.depth_events (ts_exchange, ts_ingest, symbol_id, depth_kind, first_update_id, final_update_id, bids, asks)
         values (to_timestamp($1::float8 / 1000), now(), $2, 'diff', $3, $3, $4, $5)`,
        [ms, index + 1, n, array(change.bids), array(change.asks)],
      )
    }
  }
  const found = await rowsOf(pool, 'depth_1s')
  expect(found.size).toBe(seconds.size)
  for (const [key, { books, changes }] of seconds) {
    const count = (value: number): Rational => rational(String(value))
    const of_sides = Object.fromEntries(
      (['bid', 'ask'] as const).flatMap((side) =>
        (
          [
            ['first', books[0]!],
            ['last', books.at(-1)!],
          ] as const
        ).flatMap(([place, book]) => {
          const levels = book[`${side}s`]
          const best = levels[0]
          return [
            [`book_${side}_${place}`, best === undefined ? null : rational(best[0])],
            [`book_${side}_qty_${place}`, best === undefined ? null : rational(best[1])],
            [
              `book_${side}_qty10_${place}`,
              best === undefined ? null : total(levels.map(([, qty]) => rational(qty))),
            ],
          ] as const
        }),
      ),
    )
    let flow = ZERO
    for (const [
      i,
      {
        bids: [bid],
        asks: [ask],
      },
    ] of books.entries()) {
      const [bid0, ask0] = [books[i - 1]?.bids[0], books[i - 1]?.asks[0]]
      if (bid === undefined || ask === undefined || bid0 === undefined || ask0 === undefined)
        continue
      const [b, b0, a, a0] = [bid, bid0, ask, ask0].map(([price]) => rational(price)) as [
        Rational,
        Rational,
        Rational,
        Rational,
      ]
      if (!isLess(b, b0)) flow = sum(flow, rational(bid[1]))
      if (!isLess(b0, b)) flow = sum(flow, negated(rational(bid0[1])))
      if (!isLess(a0, a)) flow = sum(flow, negated(rational(ask[1])))
      if (!isLess(a, a0)) flow = sum(flow, rational(ask0[1]))
    }
    expectExact(
      found.get(key)!,
      {
        ...of_sides,
        diff_count: count(changes.length),
        partial_count: ZERO,
        snapshot_count: ZERO,
        bid_change_count: count(changes.reduce((all, { bids }) => all + bids, 0)),
        ask_change_count: count(changes.reduce((all, { asks }) => all + asks, 0)),
        final_update_id: count(changes.at(-1)!.id),
        book_count: count(books.length),
        book_ofi_inside: flow,
      },
      key,
    )
  }
})
