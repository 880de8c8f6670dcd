/** GET /v1/signals: the same rows from Postgres, while a day leaves it, and from the dataset. */
import { beforeAll, expect, test } from 'vitest'
import { SIGNAL_KINDS } from '#core/signals/signal.ts'
import { parseDay } from '#core/time.ts'
import { runDatasets } from '../../jobs/datasets/run-datasets.ts'
import { runRollups } from '../../jobs/rollups/run-rollups.ts'
import { createSignalsJob } from '../../jobs/signals/run-signals.ts'
import { createTopnJob } from '../../jobs/topn/run-topn.ts'
import { insertTape } from '../jobs/signals/market.ts'
import { readContract, type Contract } from './contract.ts'
import { startClockedEdge } from './clocked-edge.ts'

const { edge, pool, store, clock, reported, ask, work_dir, common } =
  await startClockedEdge('2024-08-09T20:00:00Z')
const signal = new AbortController().signal

type Row = Readonly<Record<string, unknown>>
interface Page {
  readonly next: string | null
  readonly computed_to: string | null
  readonly rows: readonly Row[]
}

/** Across midnight. */
const RANGE = 'from=2024-08-08T22:00:00Z&to=2024-08-09T03:00:00Z'
let contract: Contract

async function pages(path: string): Promise<readonly Page[]> {
  const found: Page[] = []
  for (let next: string | null = path; next !== null; next = found.at(-1)!.next) {
    found.push(await contract.check<Page>(next, await ask(next)))
  }
  return found
}

const all = async (path: string): Promise<readonly Row[]> =>
  (await pages(path)).flatMap(({ rows }) => rows)

const runSignals = (symbols: readonly string[]): Promise<unknown> =>
  createSignalsJob({ ...common, store, symbols, keep_days: 30, has_webhook: false }).run(signal)

beforeAll(async () => {
  contract = await readContract(ask)
  await insertTape(pool, 'BTCUSDT', 1, '2024-08-08T23:12:00Z', 100)
  await insertTape(pool, 'ETHUSDT', 4, '2024-08-08T23:40:00Z', 15)
  await pool.query('update marketdata.symbols set step_size = 0.001')
  await createTopnJob({ ...common, cadence: { min_us: 100_000, max_us: 1_000_000 } }).run(signal)
  await runRollups({ ...common, signal })
  await runSignals(['BTCUSDT'])
})

test('pages of any size hold the same rows in order, and filters choose among them', async () => {
  const rows = await all(`/v1/signals/BTCUSDT?${RANGE}&limit=1000`)
  expect(rows.length).toBeGreaterThan(300)
  const keys = rows.map(({ ts, id }) => `${String(ts)} ${String(id).padStart(17)}`)
  expect(keys).toEqual(keys.toSorted())
  expect(new Set(keys).size).toBe(keys.length)
  for (const limit of [1_000, 311]) {
    expect(await all(`/v1/signals/BTCUSDT?${RANGE}&limit=${limit}`)).toEqual(rows)
  }
  for (const kind of SIGNAL_KINDS) {
    const of_kind = rows.filter((row) => row['kind'] === kind)
    expect(await all(`/v1/signals/BTCUSDT?${RANGE}&kind=${kind}&limit=400`)).toEqual(of_kind)
  }
  const minutes = rows.filter(({ interval }) => interval === '5m')
  expect(minutes.length).toBeGreaterThan(0)
  expect(await all(`/v1/signals/BTCUSDT?${RANGE}&interval=5m`)).toEqual(minutes)
  const [page] = await pages(`/v1/signals/BTCUSDT?${RANGE}&limit=1`)
  expect(page!.computed_to).toMatch(/^2024-08-09T00:5/)
})

test('what is not allowed is named', async () => {
  for (const [query, name] of [
    ['kind=wall', 'kind'],
    ['interval=1h', 'interval'],
    ['cursor=xyz', 'cursor'],
    ['bin=3', 'bin'],
  ]) {
    const answer = await ask(`/v1/signals/BTCUSDT?${query}`)
    expect(answer.status).toBe(400)
    expect((await answer.json()) as object).toMatchObject({ errors: [{ parameter: name }] })
  }
  expect((await ask('/v1/signals/NONEUSDT')).status).toBe(404)
})

test('a symbol that is not kept up to date has the signals of published days', async () => {
  const path = `/v1/signals/ETHUSDT?${RANGE}`
  expect(await pages(path)).toMatchObject([{ rows: [], computed_to: null }])
  const hot = await all(`/v1/signals/BTCUSDT?${RANGE}`)
  for (const date of ['2024-08-08', '2024-08-09']) {
    await runDatasets({ ...common, store, date: parseDay(date)!, work_dir })
  }
  expect((await all(path)).length).toBeGreaterThan(5)
  expect(await all(`/v1/signals/BTCUSDT?${RANGE}`)).toEqual(hot)
})

test('rows stay the same when their days leave Postgres, and without Postgres', async () => {
  const path = `/v1/signals/BTCUSDT?${RANGE}&limit=400`
  const bars = `/v1/signals/BTCUSDT?${RANGE}&kind=stacked_imbalance&limit=30`
  const before = [await all(path), await all(bars)]
  // Whole bars of the last minutes are in the dataset only: they had not ended in Postgres.
  clock.now_ms = Date.parse('2024-09-08T01:00:00Z')
  await runSignals([])
  expect(await all(path)).toEqual(before[0])
  clock.now_ms = Date.parse('2024-09-30T00:00:00Z')
  await runSignals([])
  expect((await pool.query('select from marketdata.signals')).rowCount).toBe(0)
  const cold = [await all(path), await all(bars)]
  const known_to = String(before[0]!.at(-1)!['ts'])
  expect(cold[0]!.filter(({ ts }) => String(ts) <= known_to)).toEqual(before[0])
  expect(cold[1]!.slice(0, before[1]!.length)).toEqual(before[1])
  await edge.stopGateway()
  const away = '/v1/signals/BTCUSDT?from=2024-08-08T22:00:00Z&to=2024-08-10T00:00:00Z&limit=400'
  const alone = await all(away)
  expect(alone.map(({ id }) => id)).toEqual(cold[0]!.map(({ id }) => id))
  // Only Postgres could have the days that are not published.
  const missing = await ask('/v1/signals/BTCUSDT?from=2024-08-09T22:00:00Z&to=2024-08-11T00:00:00Z')
  expect(missing.status).toBe(503)
  expect(reported.splice(0)).toMatchObject([{ code: 'database_unreachable' }])
})

test('nothing above was a fault of ours', () => expect(reported).toEqual([]))
