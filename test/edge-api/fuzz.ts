/** Random requests to the API, each checked against the OpenAPI document. */
import { expect } from 'vitest'
import { datasetFileKey } from '#core/object-keys.ts'
import { fromMillis, parseDay } from '#core/time.ts'
import { publishRows } from '../support/dataset-file.ts'
import type { Ask, Contract } from './contract.ts'
import { createRandom, randomQuestion, type Question } from './hostile.ts'
import {
  addQuotes,
  addReport,
  addSymbol,
  addTrades,
  publish,
  setLatest,
  type TestEdge,
} from './support.ts'

/** Something for every route, at the times of the document's examples. */
export async function fillForInputs({ pool, store }: TestEdge): Promise<void> {
  const id = await addSymbol(pool, 'BTCUSDT')
  await addSymbol(pool, 'ETHUSDT')
  await addQuotes(pool, id, [
    ['2024-08-08T23:53:30Z', 1, 61800.2, 61800.3, 0.5, 12],
    ['2024-08-08T23:54:30Z', 2, 61800.2, 61800.3, 0.5, 12],
  ])
  await addTrades(pool, id, [['2024-08-08T23:54:30Z', 1, 61800.2, 0.005]])
  await pool.query("select marketdata.ensure_hour('depth_events', '2024-08-08T23:00:00Z')")
  await pool.query(
    `insert into marketdata.depth_events
       (ts_exchange, ts_ingest, symbol_id, depth_kind, final_update_id, bids, asks)
     values ('2024-08-08T23:53:00Z', '2024-08-08T23:53:00Z', $1, 'snapshot', 1,
             '{{61800.2,0.5}}', '{{61800.3,12.041}}')`,
    [id],
  )
  await addFacts(pool, id)
  await pool.query(
    `insert into marketdata.prices (ticker, price, "timestamp", ts_ingest)
     values ('btc_usd', 61795.12, '2024-08-08T23:54:00Z', '2024-08-08T23:54:00Z')`,
  )
  await pool.query(
    `insert into marketdata.job_runs (job, job_window, status, attempt, started_at)
     values ('features', '2024-08-08', 'running', 1, '2024-08-08T23:54:00Z')`,
  )
  await addReport(pool, '2024-08-08T23:55:00Z')
  const times = [fromMillis(Date.parse('2024-08-08T23:54:00Z'))]
  await publishRows(store, 'features_1s', '2024-08-08', ['BTCUSDT'], times, ['ofi'])
  const key = datasetFileKey(
    { dataset: 'features_1s', schema_version: 1 },
    parseDay('2024-08-08')!,
    'features_1s.parquet',
  )
  const bytes = (await store.get(key))!
  await setLatest(store, await publish(store, 'features_1s', '2024-08-08', { bytes }))
}

const KLINE_COLUMNS =
  'interval_s, open, high, low, close, volume, notional, trade_count, buy_volume, buy_notional'

/** A row of each table that only imports fill. */
async function addFacts(pool: TestEdge['pool'], symbol_id: number): Promise<void> {
  const ts = '2024-08-08T23:53:00Z'
  for (const [table, columns, values] of [
    ['klines', KLINE_COLUMNS, '60, 1, 1, 1, 1, 2, 2, 1, 1, 1'],
    ['open_interest', 'open_interest', '80000.5'],
    ['funding_rates', 'funding_rate', '0.0001'],
    ['book_depth', 'distance_percent, qty, notional', '-5, 95, 6000000'],
  ] as const) {
    await pool.query(
      `insert into marketdata.${table} (symbol_id, ts_exchange, ${columns})
       values ($1, $2, ${values})`,
      [symbol_id, ts],
    )
  }
}

/** The status. Fails on a server error, or if the document does not list the status. */
export async function statusOf(ask: Ask, contract: Contract, { path }: Question): Promise<number> {
  const response = await ask(path)
  expect(response.status, path).not.toBe(500)
  for (const [name, value] of response.headers) {
    expect(`${name}: ${value}`, path).not.toMatch(/set-cookie|^location: https:\/\/evil/i)
  }
  expect(response.headers.get('x-content-type-options'), path).toBe('nosniff')
  await contract.check(path, response)
  return response.status
}

/** Sends random requests; the share of answers by status. */
export async function fuzz(
  ask: Ask,
  contract: Contract,
  { seed, count }: { readonly seed: number; readonly count: number },
): Promise<Readonly<Record<number, number>>> {
  const random = createRandom(seed)
  const shares: Record<number, number> = {}
  for (let i = 0; i < count; i++) {
    const status = await statusOf(ask, contract, randomQuestion(contract.paths, random))
    shares[status] = (shares[status] ?? 0) + 1 / count
  }
  return shares
}
