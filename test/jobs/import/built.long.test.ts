/**
 * A day that was recorded in part, imported, built, and read by everything that serves it; then the
 * same after the source has replaced the files.
 */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { HOUR_US, micros, toIso } from '#core/time.ts'
import { buildImportedDays } from '../../../infra/cli/import-days.ts'
import { runArchive } from '../../../jobs/archive/run-archive.ts'
import { runRetention } from '../../../jobs/retention/run-retention.ts'
import { runRollups } from '../../../jobs/rollups/run-rollups.ts'
import { putFile, zipOf } from '../../../bench/import/zip.ts'
import { startClockedEdge } from '../../edge-api/clocked-edge.ts'
import { listedKeys, readMetadata, readTable } from '../lake/icebird.ts'
import { insertGap, insertSymbols } from '../market.ts'
import { expectBuilt, RAW_TABLES, type RawTable } from './built-day.ts'
import { DAY_MS, findings, folderOf, gapsOf, pathOf, run, wanted } from './made-files.ts'
import {
  type MadeMarket,
  makeMarket,
  type MadeQuote,
  type MadeTrade,
  quoteLine,
  tradeLine,
} from './made-market.ts'

const DATE = '2024-03-29'
const SYMBOL = 'BTCUSDT'
const { pool, store, ask, work_dir, common } = await startClockedEdge('2024-04-02T00:00:00Z')
const stand = { pool, store, dir: work_dir, ask, symbol: SYMBOL }
const signal = new AbortController().signal
const DELAY_MS = 5
const HOUR_MS = 3_600_000
const OF_DAY = wanted(DATE, DATE, { kinds: ['aggTrades', 'bookTicker'] })

const file = makeMarket(Number(process.env['SEED'] ?? 19))

/** Minutes of the day that were recorded; between them is a gap. */
const RECORDED = [
  [240, 370],
  [400, 599.5],
  [720.2, 900],
] as const
const minuteOf = ({ ms }: { readonly ms: number }): number => (ms - DAY_MS) / 60_000
const isRecorded = (row: { readonly ms: number }): boolean =>
  RECORDED.some(([from, to]) => minuteOf(row) >= from && minuteOf(row) < to)
const RECORDED_ROWS: MadeMarket = {
  trades: file.trades.filter(isRecorded),
  quotes: file.quotes.filter(isRecorded),
}

async function putMarket({ trades, quotes }: MadeMarket): Promise<void> {
  for (const [kind, lines] of [
    ['aggTrades', trades.map(tradeLine)],
    ['bookTicker', quotes.map(quoteLine)],
  ] as const) {
    const bytes = zipOf(`${SYMBOL}-${kind}-${DATE}.csv`, `${lines.join('\n')}\n`)
    await putFile(folderOf(stand), pathOf(DATE, kind), bytes)
  }
}

/** As the ingestor stored them: received DELAY_MS later. */
async function record({ trades, quotes }: MadeMarket): Promise<void> {
  for (const table of RAW_TABLES) {
    for (let hour = 0; hour < 24; hour++) {
      const ts = toIso(micros((DAY_MS + hour * HOUR_MS) * 1_000))
      await pool.query('select marketdata.ensure_hour($1, $2)', [table, ts])
    }
  }
  await pool.query(
    `insert into marketdata.trades (ts_exchange, ts_ingest, symbol_id, agg_trade_id, price, qty,
       first_trade_id, last_trade_id, is_buyer_maker)
     select to_timestamp(ms / 1000.0), to_timestamp((ms + ${DELAY_MS}) / 1000.0), 1, id, price, qty,
       first, last, is_buyer_maker
     from jsonb_to_recordset($1) as r (ms int8, id int8, price float8, qty float8, first int8,
       last int8, is_buyer_maker bool)`,
    [JSON.stringify(trades)],
  )
  await pool.query(
    `insert into marketdata.book_ticker (ts_exchange, ts_ingest, symbol_id, update_id, best_bid,
       bid_qty, best_ask, ask_qty)
     select to_timestamp(ms / 1000.0), to_timestamp((ms + ${DELAY_MS}) / 1000.0), 1, id, bid,
       bid_qty, ask, ask_qty
     from jsonb_to_recordset($1) as r (ms int8, id int8, bid float8, bid_qty float8, ask float8,
       ask_qty float8)`,
    [JSON.stringify(quotes)],
  )
}

async function recordGaps(): Promise<void> {
  for (const [i, [, from]] of RECORDED.slice(0, -1).entries()) {
    const to = RECORDED[i + 1]![0]
    for (const channel of RAW_TABLES) {
      const ids = channel === 'trades' ? gapIds(from, to) : {}
      const at = (minute: number): number => (DAY_MS + minute * 60_000) * 1_000
      await insertGap(pool, { symbol: SYMBOL, channel, from_ts: at(from), to_ts: at(to), ...ids })
    }
  }
}

function gapIds(from: number, to: number): { readonly from_id: number; readonly to_id: number } {
  const missing = file.trades.filter((trade) => minuteOf(trade) >= from && minuteOf(trade) < to)
  return { from_id: missing[0]!.id - 1, to_id: missing.at(-1)!.id + 1 }
}

/** What the daemon did long ago: the first part has left Postgres, the second one has not. */
async function dropRecorded(): Promise<void> {
  await runRollups({ ...common, signal })
  await runArchive({ ...common, store, codec: 'zstd', work_dir: join(work_dir, 'work') })
  const days = { raw: 1, depth: 1, rollups: 1 }
  const settings = { budget_bytes: 0, days, clusters_days: 0, settle_us: HOUR_US }
  expect((await runRetention({ ...common, settings })).kept).toEqual([])
}

async function importAndBuild(is_recheck: boolean): Promise<ReturnType<typeof run>> {
  const results = await run(stand, OF_DAY, { is_recheck })
  const services = { pool, store, work_dir: join(work_dir, 'work'), env: {} }
  const files = [pathOf(DATE), pathOf(DATE, 'bookTicker')]
  expect(await buildImportedDays({ services, files, signal })).toEqual([])
  const left = await pool.query('select from marketdata.trades limit 1')
  expect(left.rowCount).toBe(0)
  return results
}

/** Rows of the raw tables: what was recorded, and what only the file has. */
function expectedRows(of: MadeMarket): Readonly<Record<RawTable, readonly string[]>> {
  const line = (row: MadeTrade | MadeQuote, ...cells: readonly unknown[]): string => {
    return [row.ms, row.ms + (isRecorded(row) ? DELAY_MS : 0), row.id, ...cells].join(' ')
  }
  return {
    trades: of.trades.map((row) => {
      return line(row, row.price, row.qty, row.first, row.last, row.is_buyer_maker)
    }),
    book_ticker: of.quotes.map((row) => line(row, row.bid, row.bid_qty, row.ask, row.ask_qty)),
  }
}

test('a day recorded in part and imported is the day of the file in everything that is built', async () => {
  await insertSymbols(pool, [SYMBOL])
  const parts = [(minute: number) => minute < 600, (minute: number) => minute >= 600].map((is) => ({
    trades: RECORDED_ROWS.trades.filter((row) => is(minuteOf(row))),
    quotes: RECORDED_ROWS.quotes.filter((row) => is(minuteOf(row))),
  }))
  await record(parts[0]!)
  await recordGaps()
  await dropRecorded()
  await record(parts[1]!)
  await putMarket(file)
  const results = await importAndBuild(false)
  expect(findings(results)).toEqual([null, null])
  expect(results).toMatchObject([
    {
      closed_gaps: 2,
      facts: { added_count: file.trades.length - RECORDED_ROWS.trades.length, rejected_count: 0 },
    },
    {
      closed_gaps: 2,
      facts: { added_count: file.quotes.length - RECORDED_ROWS.quotes.length, rejected_count: 0 },
    },
  ])
  expect(await gapsOf(stand)).toEqual([])
  await expectBuilt(stand, file, expectedRows(file))
})

/** Its rows, of which some are changed, some gone, and an hour of each stream too. */
function replaced({ trades, quotes }: MadeMarket): MadeMarket {
  const hourOf = (row: { readonly ms: number }): number => Math.floor(minuteOf(row) / 60)
  return {
    trades: trades
      .filter((row, i) => hourOf(row) !== 20 && i % 601 !== 7)
      .map((row, i) => (i % 397 === 5 ? { ...row, qty: row.qty + 64 } : row)),
    quotes: quotes
      .filter((row, i) => hourOf(row) !== 2 && i % 701 !== 9)
      .map((row, i) => (i % 499 === 5 ? { ...row, bid_qty: row.bid_qty + 64 } : row)),
  }
}

/** What was recorded stays as it is; elsewhere the newest file counts. */
function withRecorded(of: MadeMarket): MadeMarket {
  const isImported = (row: { readonly ms: number }): boolean => !isRecorded(row)
  return {
    trades: [...of.trades.filter(isImported), ...RECORDED_ROWS.trades],
    quotes: [...of.quotes.filter(isImported), ...RECORDED_ROWS.quotes],
  }
}

/** Each run of ids that no row has is a gap between its neighbours. */
function expectedGaps({ trades }: MadeMarket): readonly string[] {
  const sorted = trades.toSorted((left, right) => left.id - right.id)
  return sorted.flatMap((row, i) => {
    const before = sorted[i - 1]
    if (before === undefined || row.id === before.id + 1) return []
    return [`${before.ms} ${row.ms} ${before.id} ${row.id}`]
  })
}

/** Rows, and the bytes of each file. */
async function stateOf(table: string, id: number): Promise<readonly string[]> {
  const rows = await readTable(store, table, id)
  const lines = rows.map((row) =>
    JSON.stringify(row, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)),
  )
  const keys = await listedKeys(store, table, id)
  const files = await Promise.all(
    keys.map(async (key) => {
      const bytes = (await store.get(key))!
      return `${key} ${createHash('sha256').update(bytes).digest('hex')}`
    }),
  )
  return [...lines.toSorted(), ...files]
}

test('after --recheck of replaced files too, and an old snapshot has its old rows and bytes', async () => {
  const tables = ['raw.trades', 'raw.book_ticker', 'derived.trade_1s', 'datasets.candles_v2']
  const before = new Map<string, { readonly id: number; readonly state: readonly string[] }>()
  for (const table of tables) {
    const id = (await readMetadata(store, table))['current-snapshot-id']
    before.set(table, { id, state: await stateOf(table, id) })
  }
  const next = replaced(file)
  const expected = withRecorded(next)
  await putMarket(next)
  const results = await importAndBuild(true)
  expect(results).toMatchObject([{ is_replaced: true }, { is_replaced: true }])
  const gaps = await pool.query<{ line: string }>(
    `select concat_ws(' ', (extract(epoch from from_ts) * 1000)::int8,
       (extract(epoch from to_ts) * 1000)::int8, from_id, to_id) as line
     from marketdata.gaps where channel = 'trades' and cause = 'import' and repaired_at is null
     order by from_id`,
  )
  expect(gaps.rows.map(({ line }) => line)).toEqual(expectedGaps(expected))
  await expectBuilt(stand, expected, expectedRows(expected))
  for (const [table, { id, state }] of before) {
    expect((await readMetadata(store, table))['current-snapshot-id'], table).not.toBe(id)
    expect(await stateOf(table, id), table).toEqual(state)
  }
})
