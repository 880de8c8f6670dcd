/**
 * Derived data, hot and cold: the same requests before archiving, after it, while partitions are
 * dropped, after that, and without Postgres.
 */
import { beforeAll, expect, test } from 'vitest'
import { runArchive } from '../../jobs/archive/run-archive.ts'
import { dropPartition } from '../../jobs/retention/drop.ts'
import { selectPartitions } from '../../jobs/retention/partitions.ts'
import { runRollups } from '../../jobs/rollups/run-rollups.ts'
import { createTopnJob } from '../../jobs/topn/run-topn.ts'
import { insertQuotes, insertSymbols, insertTrades } from '../jobs/market.ts'
import { readContract, type Contract } from './contract.ts'
import { startClockedEdge } from './clocked-edge.ts'

const { edge, pool, store, clock, reported, ask, work_dir, common } =
  await startClockedEdge('2024-08-09T20:00:00Z')
const signal = new AbortController().signal
const topn = createTopnJob({ ...common, cadence: { min_us: 100_000, max_us: 1_000_000 } })

type Row = Readonly<Record<string, unknown>>
type Page = { readonly next: string | null; readonly rows: readonly Row[] }

const SYMBOLS = ['AAAUSDT', 'BTCUSDT']
/** The last two minutes of a day and the first two of the next. */
const FROM = Date.parse('2024-08-08T23:58:00Z') * 1_000
const SPAN = 'exchange=binance-futures&from=2024-08-08T22:00:00Z&to=2024-08-09T02:00:00Z'
const IN_FILES = 'exchange=binance-futures&from=2024-08-08T23:00:00Z&to=2024-08-09T01:00:00Z'

const routes = (span: string): readonly string[] =>
  SYMBOLS.map((symbol) => encodeURIComponent(symbol)).flatMap((symbol) => [
    `/v1/orderbook-topn/${symbol}?${span}&limit=60`,
    `/v1/orderbook-topn/${symbol}?${span}&limit=1000&columns=b1_price,i10`,
    `/v1/market-data-1s/${symbol}?${span}&limit=60`,
    `/v1/market-data-1s/${symbol}?${span}&limit=1000`,
    `/v1/market-data-1s/${symbol}?${span}&limit=1000&columns=vwap`,
    ...['1m', '5m', '1h', '1d'].map((interval) => {
      const wide = span.replace(/T\d\d:00:00Z/g, '').replace('to=2024-08-09', 'to=2024-08-10')
      const range = interval === '1d' ? wide : span
      return `/v1/candles/${symbol}?interval=${interval}&${range}&limit=3`
    }),
    `/data/${symbol}?${span}&limit=50`,
  ])

let contract: Contract
async function all(path: string): Promise<readonly Row[]> {
  const rows: Row[] = []
  for (let next: string | null = path; next !== null;) {
    const response: Response = await ask(next)
    const text = response.status === 200 ? '' : await response.clone().text()
    expect([next, response.status, text]).toEqual([next, 200, ''])
    const answer: Page & { data?: Row[] } = await contract.check(next, response)
    rows.push(...(answer.rows ?? answer.data))
    next = answer.next
  }
  return rows
}
const answers = async (paths: readonly string[]): Promise<readonly (readonly Row[])[]> => {
  const found: (readonly Row[])[] = []
  for (const path of paths) found.push(await all(path))
  return found
}

async function make(): Promise<void> {
  for (let run = 0; run < 3; run++) {
    clock.now_ms += 30_000
    await topn.run(signal)
    await runRollups({ ...common, signal })
  }
}

async function dropAll(): Promise<readonly string[]> {
  const kept: string[] = []
  for (const state of await selectPartitions(pool)) {
    const outcome = await dropPartition(pool, state)
    if (outcome.kind === 'kept') kept.push(`${state.partition}: ${outcome.why}`)
  }
  return kept
}

const archive = (): Promise<unknown> => runArchive({ ...common, store, codec: 'zstd', work_dir })

beforeAll(async () => {
  contract = await readContract(ask)
  await insertSymbols(pool, SYMBOLS)
  const seconds = Array.from({ length: 240 }, (_, i) => i)
  for (const [place, symbol] of SYMBOLS.entries()) {
    const at = (second: number, us: number): number => FROM + second * 1e6 + us
    // Each stream is silent in different seconds.
    const quotes = seconds.filter((s) => s % 5 !== 1)
    const trades = seconds.filter((s) => s % 3 !== 2)
    await insertQuotes(
      pool,
      quotes.map((s) => ({
        symbol,
        ts: at(s, 1),
        id: s,
        bid: 10 + (s % 7) / 10,
        bid_qty: 1 + s / 1e3,
        ask: 20.3,
        ask_qty: s,
      })),
    )
    await insertTrades(
      pool,
      trades.flatMap((s) =>
        [0, 1].map((k) => ({
          symbol,
          ts: at(s, k * 999_999),
          id: 2 * s + k,
          price: 10 + ((s * 7) % 13) / 10,
          qty: 0.1 * (s + place + 1),
          is_buyer_maker: s % 2 === 0,
        })),
      ),
    )
  }
  await pool.query(
    `select marketdata.ensure_hour('depth_events', h) from unnest(array['2024-08-08T23:00:00Z', '2024-08-09T00:00:00Z']::timestamptz[]) h`,
  )
  await pool.query(
    `insert into marketdata.depth_events (ts_exchange, ts_ingest, symbol_id, depth_kind, first_update_id, final_update_id, bids, asks)
     select ts, ts, s.id, case when n = 100 then 'snapshot' else 'diff' end, n, n, array[[99.5, n / 10.0], [98, 1]], '{{101,1.5}}'
     from marketdata.symbols s, generate_series(100, 300) n,
       lateral (select '2024-08-08T23:58:10.25Z'::timestamptz + make_interval(secs => n - 100) as ts) t`,
  )
  await make()
})

test('the same requests have the same rows before, during and after archive and retention', async () => {
  const paths = routes(SPAN)
  const before = await answers(paths)
  for (const [i, rows] of before.entries()) expect(rows.length, paths[i]).toBeGreaterThan(0)
  await archive()
  expect(await answers(paths)).toEqual(before)
  const state = { is_done: false }
  const dropping = dropAll().finally(() => (state.is_done = true))
  for (let i = 0; !state.is_done; i = (i + 1) % paths.length) {
    expect(await all(paths[i]!), paths[i]).toEqual(before[i])
  }
  expect(await dropping).toEqual([])
  const left = await pool.query(
    `select from marketdata.bt_1s union all select from marketdata.trade_1s
     union all select from marketdata.depth_1s union all select from marketdata.orderbook_topn`,
  )
  expect(left.rowCount).toBe(0)
  expect(await answers(paths)).toEqual(before)
})

test('a page of market data whose parts are not all dropped has every column', async () => {
  const path = `/v1/market-data-1s/AAAUSDT?${IN_FILES}&limit=1000`
  const rows = await all(path)
  // A late quote: its second is computed again, in a new partition.
  await pool.query("select marketdata.ensure_day('bt_1s', '2024-08-08')")
  await pool.query(
    `insert into marketdata.bt_1s (symbol_id, bucket, bid_open, bid_qty_open, bid_qty_close, bid_qty_min, bid_qty_max, bid_qty_mean,
       ask_qty_open, ask_qty_close, ask_qty_min, ask_qty_max, ask_qty_mean, ofi_inside, quote_count)
     select id, '2024-08-08T23:58:00Z', 5, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 9 from marketdata.symbols where symbol = 'AAAUSDT'`,
  )
  const [first, ...others] = await all(path)
  expect(first).toMatchObject({
    bucket: rows[0]!['bucket'],
    quote_count: 9,
    volume: rows[0]!['volume'],
  })
  expect(others).toEqual(rows.slice(1))
  await pool.query('drop table marketdata.bt_1s_20240808')
})

test('without Postgres the archive answers alone, with the same numbers', async () => {
  const paths = routes(IN_FILES).filter((path) => !path.startsWith('/data') && !path.includes('1d'))
  const numbers = (found: readonly (readonly Row[])[]): unknown =>
    found.map((rows) =>
      rows.map((row) =>
        Object.entries(row).map(([name, value]) => [
          name,
          typeof value === 'string' && !Number.isNaN(Number(value)) ? Number(value) : value,
        ]),
      ),
    )
  const before = await answers(paths)
  await edge.stopGateway()
  expect(numbers(await answers(paths))).toEqual(numbers(before))
})

test('nothing above was a fault of ours', () => expect(reported).toEqual([]))
