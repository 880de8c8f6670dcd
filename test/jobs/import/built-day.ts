/**
 * Reads an imported and built day through everything that serves it, and compares it with the rows
 * that it should have, and with what follows from them (made-market.ts).
 */
import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import type { Ask } from '../../edge-api/contract.ts'
import { listedKeys, readTable } from '../lake/icebird.ts'
import { readWithDuckDb, type Stand } from '../stand.ts'
import { DAY_MS } from './made-files.ts'
import { barsOf, cellsOf, type MadeMarket } from './made-market.ts'

export interface Built extends Pick<Stand, 'pool' | 'store' | 'dir'> {
  readonly ask: Ask
  readonly symbol: string
}

export const RAW_TABLES = ['trades', 'book_ticker'] as const
export type RawTable = (typeof RAW_TABLES)[number]

const HOUR_MS = 3_600_000
const DATE = new Date(DAY_MS).toISOString().slice(0, 10)
const NEXT_DATE = new Date(DAY_MS + 24 * HOUR_MS).toISOString().slice(0, 10)

type Row = Readonly<Record<string, unknown>>

/** `rows`: cells of ts_exchange and ts_ingest [ms], and of COLUMNS, with a space between them. */
export async function expectBuilt(
  built: Built,
  of: MadeMarket,
  rows: Readonly<Record<RawTable, readonly string[]>>,
): Promise<void> {
  await expectRaw(built, rows)
  await expectSeconds(built, of)
  await expectCandles(built, of)
  await expectServedCandles(built, of)
  await expectClusters(built, of)
  await expectFeatures(built, of)
}

const COLUMNS: Readonly<Record<RawTable, readonly string[]>> = {
  trades: ['agg_trade_id', 'price', 'qty', 'first_trade_id', 'last_trade_id', 'is_buyer_maker'],
  book_ticker: ['update_id', 'best_bid', 'bid_qty', 'best_ask', 'ask_qty'],
}

/** Count and digest of the rows of each hour, whatever their order. */
function byHour(lines: readonly string[]): Readonly<Record<string, string>> {
  const hours = Map.groupBy(lines, (line) => {
    return String(Math.floor((Number(line.split(' ')[0]) - DAY_MS) / HOUR_MS)).padStart(2, '0')
  })
  return Object.fromEntries(
    [...hours].map(([hour, some]) => {
      const digest = createHash('sha256').update(some.toSorted().join('\n')).digest('hex')
      return [hour, `${some.length} ${digest.slice(0, 16)}`]
    }),
  )
}

function lineOf(table: RawTable, row: Readonly<Record<string, unknown>>): string {
  const times = [row['ts_exchange'], row['ts_ingest']].map((ts) => {
    return ts instanceof Date ? ts.getTime() : Date.parse(String(ts))
  })
  return [...times, ...COLUMNS[table].map((name) => String(row[name]))].join(' ')
}

async function throughIcebird({ store }: Built, table: RawTable): Promise<readonly string[]> {
  const rows = await readTable(store, `raw.${table}`)
  return rows.map((row) => lineOf(table, row))
}

async function throughDuckDb(built: Built, table: RawTable): Promise<readonly string[]> {
  const lines: string[] = []
  for (const key of await listedKeys(built.store, `raw.${table}`)) {
    const sql = (from: string): string => `select * from ${from}`
    lines.push(...(await readWithDuckDb(built, key, sql)).map((row) => lineOf(table, row)))
  }
  return lines
}

async function throughApi(built: Built, table: RawTable): Promise<readonly string[]> {
  const route = table === 'trades' ? 'trades' : 'quotes'
  const lines: string[] = []
  for (let hour = 0; hour < 24; hour++) {
    const [from, to] = [hour, hour + 1].map((h) => new Date(DAY_MS + h * HOUR_MS).toISOString())
    const path = `/v1/${route}/${built.symbol}?from=${from}&to=${to}&limit=5000`
    lines.push(...(await pages(built, path)).map((row) => lineOf(table, row)))
  }
  return lines
}

async function pages({ ask }: Built, path: string): Promise<readonly Row[]> {
  const rows: Row[] = []
  for (let next: string | null = path; next !== null;) {
    const response: Response = await ask(next)
    const body = await response.text()
    expect([next, response.status, response.status === 200 ? '' : body]).toEqual([next, 200, ''])
    const answer = JSON.parse(body) as { next: string | null; rows: readonly Row[] }
    rows.push(...answer.rows)
    next = answer.next
  }
  return rows
}

/** Whether an open gap of the stream touches a span [ms]. */
async function blindness(
  { pool }: Built,
  channel: RawTable,
): Promise<(from_ms: number, to_ms: number) => boolean> {
  const { rows } = await pool.query<{ from_ms: number; to_ms: number }>(
    `select (extract(epoch from from_ts) * 1000)::float8 as from_ms,
       (extract(epoch from to_ts) * 1000)::float8 as to_ms
     from marketdata.gaps where channel = $1 and repaired_at is null`,
    [channel],
  )
  return (from_ms, to_ms) => rows.some((gap) => gap.from_ms < to_ms && gap.to_ms >= from_ms)
}

async function expectRaw(
  built: Built,
  rows: Readonly<Record<RawTable, readonly string[]>>,
): Promise<void> {
  for (const table of RAW_TABLES) {
    const expected = byHour(rows[table])
    expect(byHour(await throughIcebird(built, table)), `${table} through icebird`).toEqual(expected)
    expect(byHour(await throughDuckDb(built, table)), `${table} through DuckDB`).toEqual(expected)
    expect(byHour(await throughApi(built, table)), `${table} through the API`).toEqual(expected)
  }
}

const BAR = ['open', 'high', 'low', 'close', 'volume', 'buy_volume', 'sell_volume', 'notional']
const NAMES = [...BAR, 'trade_count']

function barLine(start_s: number, row: Readonly<Record<string, unknown>>): string {
  return [start_s, ...NAMES.map((name) => String(row[name]))].join(' ')
}

const expectedBars = ({ trades }: MadeMarket, interval_s: number): readonly string[] =>
  [...barsOf(trades, interval_s)].map(([start_s, bar]) => barLine(start_s, { ...bar })).toSorted()

async function expectSeconds(built: Built, of: MadeMarket): Promise<void> {
  const rows = await readTable(built.store, 'derived.trade_1s')
  const lines = rows.map((row) => barLine((row['bucket'] as Date).getTime() / 1_000, row))
  expect(lines.toSorted()).toEqual(expectedBars(of, 1))
}

async function expectCandles(built: Built, of: MadeMarket): Promise<void> {
  const isBlind = await blindness(built, 'trades')
  const rows = await readTable(built.store, 'datasets.candles_v2')
  for (const interval_s of [60, 300, 900, 3_600, 14_400, 86_400]) {
    const expected = expectedBars(of, interval_s)
    const found = rows.filter((row) => row['interval_s'] === BigInt(interval_s))
    expect(found, `candles of ${interval_s} s`).toHaveLength(86_400 / interval_s)
    const traded = found.filter((row) => Number(row['trade_count'] ?? 0) > 0)
    const start = (row: Row): number => (row['ts'] as Date).getTime() / 1_000
    expect(
      traded.map((row) => barLine(start(row), row)).toSorted(),
      `candles of ${interval_s} s`,
    ).toEqual(expected)
    const last_ms = Math.max(...of.trades.map(({ ms }) => ms))
    for (const row of found) {
      const [from_ms, to_ms] = [start(row) * 1_000, (start(row) + interval_s) * 1_000]
      if (to_ms > last_ms || from_ms === DAY_MS) continue
      const is_blind = isBlind(from_ms, to_ms)
      expect([from_ms, Number(row['missing_s']) > 0]).toEqual([from_ms, is_blind])
    }
  }
}

async function expectServedCandles(built: Built, of: MadeMarket): Promise<void> {
  for (const [interval, interval_s] of [
    ['1m', 60],
    ['1h', 3_600],
    ['1d', 86_400],
  ] as const) {
    const path = `/v1/candles/${built.symbol}?interval=${interval}&from=${DATE}&to=${NEXT_DATE}&limit=1000`
    const rows = await pages(built, path)
    const lines = rows.map((row) => {
      return barLine(Date.parse(String(row['ts'])) / 1_000, row)
    })
    expect(lines.toSorted(), `served candles of ${interval}`).toEqual(expectedBars(of, interval_s))
  }
}

async function expectClusters({ store }: Built, { trades }: MadeMarket): Promise<void> {
  const rows = await readTable(store, 'datasets.clusters_v1')
  const names = ['price', 'buy_qty', 'sell_qty', 'buy_count', 'sell_count']
  const lines = rows.map((row) => {
    const minute_s = (row['ts'] as Date).getTime() / 1_000
    return [minute_s, ...names.map((name) => String(row[name]))].join(' ')
  })
  expect(lines.toSorted()).toEqual(cellsOf(trades))
}

async function expectFeatures(built: Built, of: MadeMarket): Promise<void> {
  const [key, ...others] = await listedKeys(built.store, 'datasets.features_1s_v4')
  expect(others).toEqual([])
  const names = ['trade_count', 'volume', 'buy_volume', 'sell_volume', 'notional', 'vwap']
  const of_quotes = ['quote_count', 'best_bid', 'bid_qty', 'best_ask', 'ask_qty']
  const rows = await readWithDuckDb(built, key!, (from) => {
    return `select epoch(ts)::bigint as s, ${[...names, ...of_quotes].join(', ')} from ${from}
      where symbol = '${built.symbol}' order by ts`
  })
  const [isBlind, isQuoteBlind] = [
    await blindness(built, 'trades'),
    await blindness(built, 'book_ticker'),
  ]
  const bars = barsOf(of.trades, 1)
  const quotes = Map.groupBy(of.quotes, ({ ms }) => Math.floor(ms / 1_000))
  const last_ms = Math.max(...[...of.trades, ...of.quotes].map(({ ms }) => ms))
  const compared = { trades: 0, quotes: 0 }
  for (const row of rows) {
    const s = Number(row['s'])
    const [from_ms, to_ms] = [s * 1_000, (s + 1) * 1_000]
    if (from_ms < DAY_MS + 1_000 || to_ms > last_ms) continue
    const read = (some: readonly string[]): readonly unknown[] => [
      s,
      ...some.map((name) => (row[name] === null ? null : Number(row[name]))),
    ]
    const bar = bars.get(s)
    const expected = isBlind(from_ms, to_ms)
      ? names.map(() => null)
      : names.map((name) => {
          if (name === 'vwap') return bar === undefined ? null : bar.notional / bar.volume
          return bar?.[name as keyof typeof bar] ?? 0
        })
    expect(read(names)).toEqual([s, ...expected])
    compared.trades += 1
    if (isQuoteBlind(from_ms, to_ms)) continue
    const some = quotes.get(s)?.toSorted((a, b) => a.ms - b.ms || a.id - b.id) ?? []
    const last = some.at(-1)
    if (last === undefined) expect(read(['quote_count'])).toEqual([s, 0])
    else {
      const { bid, bid_qty, ask, ask_qty } = last
      expect(read(of_quotes)).toEqual([s, some.length, bid, bid_qty, ask, ask_qty])
      compared.quotes += 1
    }
  }
  expect(compared.trades).toBeGreaterThan(86_000)
  expect(compared.quotes).toBeGreaterThan(10_000)
}
