/**
 * Answers that are not ranges of rows, in workerd, at the size of a large installation: lists of
 * datasets, dates, symbols, gaps and runs. Each is complete or has a next page and arrives in time,
 * and the worker's isolate stays small while eight callers request it.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { createObjectStore, type ObjectStore } from '#core/node/object-store.ts'
import { datasetFileKey, dayNoteKey, manifestKey } from '#core/object-keys.ts'
import { addDays, parseDay, type Day } from '#core/time.ts'
import { startObjectStore, type LocalObjectStore } from '../../infra/local/object-store.ts'
import { startWorker, type LocalWorker } from '../../infra/local/worker.ts'
import { workerBundle } from '../support/worker-bundle.ts'
import { listObjects } from '../support/listed-objects.ts'
import { meterIsolate, type IsolateMeter } from './memory/isolate.ts'
import {
  addSymbol,
  bindingsOf,
  createReaderDatabase,
  publish,
  startTestGateway,
} from './support.ts'

const MIB = 1 << 20
/** Out of 128 MiB, because other requests need memory at the same time. */
const ISOLATE_BYTES_MAX = 96 * MIB
const CALLERS = 8
const SYMBOL_COUNT = 2_000
const GAP_COUNT = 100_000
const RUN_COUNT = 1_000
const LINE_COUNT = 2_000
const DAY_COUNT = 3 * 365
const FIRST = parseDay('2023-01-01')!
const dayAt = (index: number): Day => addDays(FIRST, index)
/** Nine small ones, and one with a file for every symbol. */
const NAMES = Array.from({ length: 10 }, (_, i) => `dataset_${i}`)
/** Its last day has files and no manifest yet, and neither has one in the middle. */
const BUSY = 'busy'
const UNFINISHED = [dayAt(500), dayAt(DAY_COUNT - 1)]

const dir = await mkdtemp(join(tmpdir(), 'booktape-large-'))
const { pool, reader_url } = await createReaderDatabase()
const gateway = await startTestGateway(reader_url)
let store: LocalObjectStore
let worker: LocalWorker
let meter: IsolateMeter

const startStore = (): Promise<LocalObjectStore> =>
  startObjectStore({
    dir: join(dir, 'store'),
    port: 0,
    access_key_id: 'key',
    secret_access_key: 'secret',
  })

beforeAll(async () => {
  const empty = await startStore()
  const client = createObjectStore(empty.config)
  await client.put('like', '{}', 'application/json')
  await putBusyDay(client)
  client.close()
  await empty.stop()
  listObjects(join(dir, 'store'), objectKeys(), 'like')
  store = await startStore()
  await fillDatabase()
  worker = await startWorker({
    port: 0,
    bundle: await workerBundle(),
    bindings: bindingsOf(reader_url, gateway.url, store.config),
    persist_dir: join(dir, 'state'),
    has_inspector: true,
  })
  meter = await meterIsolate(worker.inspector_url!, 'booktape-edge')
})
afterAll(async () => {
  meter?.close()
  await worker?.stop()
  await gateway.stop()
  await store?.stop()
  await rm(dir, { recursive: true })
})

/** Two builds a day, of 3 files each, or of 30: more than 50 pages of 1,000 keys. */
function objectKeys(): readonly string[] {
  return NAMES.flatMap((dataset, place) =>
    Array.from({ length: DAY_COUNT }, (_, index) => dayAt(index)).flatMap((date) => {
      const of_day = (schema_version: number): readonly string[] => {
        const files = ['a', 'b'].flatMap((letter) => {
          const build = { dataset, schema_version, build: letter.repeat(16) }
          const names = Array.from({ length: place === 0 ? 30 : 3 }, (_, i) => `${i}.csv.gz`)
          return names.map((name) => datasetFileKey(build, date, name))
        })
        const keyOf = place === 0 && UNFINISHED.includes(date) ? dayNoteKey : manifestKey
        return [...files, keyOf(dataset, schema_version, date)]
      }
      // The first dates of one dataset have an older schema version alone.
      return of_day(place === 1 && date < dayAt(100) ? 1 : 2)
    }),
  )
}

/** A file and a hundred gaps for each of 200 symbols, the maximum that the job writes. */
async function putBusyDay(client: ObjectStore): Promise<void> {
  const symbols = Array.from({ length: 200 }, (_, i) => `COIN${i}USDT`)
  const manifest = await publish(client, BUSY, dayAt(0))
  const [file] = manifest.files
  const [coverage] = manifest.coverage
  const gap = {
    channel: 'trades',
    from_ts: '2023-01-01T00:00:00.000000Z',
    to_ts: '2023-01-01T00:00:01.000000Z',
    cause: 'disconnect',
    repaired: true,
  } as const
  const busy = {
    ...manifest,
    files: symbols.map((symbol) => ({ ...file!, name: `${symbol}.csv.gz`, format: 'csv.gz' })),
    coverage: symbols.map((symbol) => ({
      ...coverage!,
      symbol,
      gap_count: 100,
      gaps: Array.from({ length: 100 }, () => gap),
    })),
  }
  const key = manifestKey(BUSY, manifest.schema_version, dayAt(0))
  await client.put(key, JSON.stringify(busy), 'application/json')
}

async function fillDatabase(): Promise<void> {
  await pool.query(
    `insert into marketdata.symbols
       (exchange, symbol, instrument_type, base_asset, quote_asset, tick_size, step_size)
     select 'binance-futures', 'COIN' || n || 'USDT', 'perp', 'COIN' || n, 'USDT', 0.01, 0.001
     from generate_series(1, $1) n`,
    [SYMBOL_COUNT - 1],
  )
  const id = await addSymbol(pool, 'BTCUSDT')
  await pool.query(
    `insert into marketdata.gaps
       (symbol_id, channel, from_ts, to_ts, cause, detected_at, repair_note)
     select $1, (array['trades', 'depth_events'])[n % 2 + 1],
       '2024-01-01'::timestamptz + n * interval '5 minutes',
       '2024-01-01'::timestamptz + n * interval '5 minutes' + interval '1 minute',
       'disconnect', now(), repeat('a note of a repair ', 10)
     from generate_series(0, $2 - 1) n`,
    [id, GAP_COUNT],
  )
  await pool.query(
    `insert into marketdata.job_runs
       (job, job_window, status, attempt, started_at, error, log_lines)
     select 'archive', n::text, 'failed', 1, now(), repeat('why it failed ', 1000), (
       select coalesce(jsonb_agg(jsonb_build_object('line', l, 'msg', repeat('word ', 400))), '[]')
       from generate_series(1, case when n = $1 then $2::int else 0 end) l)
     from generate_series(1, $1::int) n`,
    [RUN_COUNT, LINE_COUNT],
  )
  await pool.query(
    `insert into marketdata.prices (ticker, price, "timestamp", ts_ingest)
     select 'btc_usd', 60000 + n, '2024-01-01'::timestamptz + n * interval '1 second', now()
     from generate_series(1, 20000) n`,
  )
}

let asked = 0
/** A year that no test has requested yet, so that nothing is cached. */
const year = (): string =>
  `from=2024-01-01T00:00:00.${String((asked += 1)).padStart(3, '0')}Z&to=2025-01-01`

interface Answered {
  readonly path: string
  readonly status: number
  readonly text: string
}

/** Retries after a 503, as a client does: on a busy machine a query may take too long. */
async function ask(path: string, init: RequestInit = {}): Promise<Answered> {
  for (;;) {
    const response = await fetch(worker.url + path, { redirect: 'manual', ...init })
    const text = await response.text()
    if (response.status !== 503) return { path, status: response.status, text }
    const retry_after = response.headers.get('retry-after') ?? 1
    await new Promise((resolve) => setTimeout(resolve, Number(retry_after) * 1_000))
  }
}

/** Concurrent callers get equal answers, and the isolate's memory stays bounded meanwhile. */
async function askAll(pathOf: () => string, init?: RequestInit): Promise<Answered> {
  await vi.waitFor(() => meter.takePeak(), { timeout: 10_000 })
  const answers = await Promise.all(Array.from({ length: CALLERS }, () => ask(pathOf(), init)))
  expect(meter.takePeak()).toBeLessThan(ISOLATE_BYTES_MAX)
  const statuses = answers.map(({ status }) => status)
  expect(statuses).toEqual(statuses.map(() => statuses[0]))
  return answers[0]!
}

async function json<T>(pathOf: () => string): Promise<T> {
  const { path, status, text } = await askAll(pathOf)
  expect([path, status, status === 200 ? '' : text]).toEqual([path, 200, ''])
  expect(text.length, path).toBeLessThan(3 * MIB)
  return JSON.parse(text) as T
}

interface Summary {
  readonly name: string
  readonly schema_version: number
  readonly date_count: number
  readonly first_date: string
  readonly last_date: string
}

test('datasets of three years are listed completely, except days without a manifest', async () => {
  const { datasets } = await json<{ readonly datasets: readonly Summary[] }>(() => '/v1/datasets')
  const [last_date, before_last] = [dayAt(DAY_COUNT - 1), dayAt(DAY_COUNT - 2)]
  const whole = { schema_version: 2, date_count: DAY_COUNT, first_date: FIRST, last_date }
  const unusual: Readonly<Record<string, object>> = {
    [NAMES[0]!]: { ...whole, date_count: DAY_COUNT - 2, last_date: before_last },
    [NAMES[1]!]: { ...whole, date_count: DAY_COUNT - 100, first_date: dayAt(100) },
    [BUSY]: { schema_version: 1, date_count: 1, first_date: FIRST, last_date: FIRST },
  }
  expect(datasets).toEqual([BUSY, ...NAMES].map((name) => ({ name, ...(unusual[name] ?? whole) })))
})

test('so are the dates of each dataset, with the newest version of each date', async () => {
  type Dates = { readonly dates: readonly { readonly date: Day }[] }
  const all = Array.from({ length: DAY_COUNT }, (_, i) => dayAt(i))
  const large = await json<Dates>(() => `/v1/datasets/${NAMES[0]!}`)
  const published = all.filter((day) => !UNFINISHED.includes(day))
  expect(large.dates.map(({ date }) => date)).toEqual(published)
  const { dates } = await json<Dates>(() => `/v1/datasets/${NAMES[1]!}`)
  expect(dates).toEqual(all.map((date, i) => ({ date, schema_version: i < 100 ? 1 : 2 })))
})

test('a day of 200 symbols with a hundred gaps each: its files, and its manifest', async () => {
  const path = `/v1/datasets/${BUSY}/${FIRST}`
  const day = await json<{ readonly files: readonly unknown[] }>(() => path)
  expect(day.files).toHaveLength(200)
  type Manifest = { readonly coverage: readonly unknown[] }
  const { coverage } = await json<Manifest>(() => `${path}/manifest.json`)
  expect(coverage).toHaveLength(200)
  expect((await askAll(() => `${path}/COIN5USDT.csv.gz`)).status).toBe(302)
})

test('the pages of gaps are complete, and none is too large', async () => {
  type Page = { readonly next: string | null; readonly rows: readonly { readonly id: number }[] }
  let { next, rows } = await json<Page>(() => `/v1/gaps?${year()}&limit=10000`)
  const ids = rows.map(({ id }) => id)
  while (next !== null && ids.length < 20_000) {
    const answer = await ask(next)
    expect(answer.text.length).toBeLessThan(3 * MIB)
    ;({ next, rows } = JSON.parse(answer.text) as Page)
    ids.push(...rows.map(({ id }) => id))
  }
  expect(ids.length).toBeGreaterThanOrEqual(20_000)
  expect(ids).toEqual(ids.map((_, i) => ids[0]! + i))
})

test('the coverage of a year with as many gaps', async () => {
  type Coverage = { readonly streams: readonly Readonly<Record<string, unknown>>[] }
  const { streams } = await json<Coverage>(() => `/v1/coverage/BTCUSDT?${year()}`)
  const of_year = (366 * 24 * 60) / 5
  const counts = streams.map((one) => Number(one['gap_count']))
  expect(counts.reduce((a, b) => a + b)).toBe(Math.min(of_year, GAP_COUNT))
})

test('the log of a run has its newest lines, as many as a megabyte holds', async () => {
  interface Run {
    readonly line_count: number
    readonly log_lines: readonly { readonly line: number }[]
  }
  const { line_count, log_lines } = await json<Run>(() => `/v1/jobs/${RUN_COUNT}`)
  expect(line_count).toBe(LINE_COUNT)
  expect(log_lines.length).toBeGreaterThan(400)
  const lines = log_lines.map(({ line }) => line)
  expect(lines).toEqual(lines.map((_, i) => LINE_COUNT - lines.length + 1 + i))
})

test('runs with long errors, symbols, their newest quotes, and prices', async () => {
  const { runs } = await json<{ readonly runs: readonly unknown[] }>(() => '/v1/jobs?limit=1000')
  expect(runs).toHaveLength(1_000)
  const { symbols } = await json<{ readonly symbols: readonly unknown[] }>(
    () => `/v1/symbols?limit=${9_000 + (asked += 1)}`,
  )
  expect(symbols).toHaveLength(SYMBOL_COUNT)
  expect(await json(() => '/stats')).toMatchObject({ symbol_count: SYMBOL_COUNT })
  expect(await json(() => '/prices/filter?ticker=btc_usd')).toMatchObject({ count: 10_000 })
})

test('batches of the maximum number of messages', async () => {
  const messages = Array.from({ length: 10 }, (_, id) => ({
    jsonrpc: '2.0',
    id,
    method: 'tools/call',
    params: { name: 'list_datasets', arguments: { name: NAMES[1]! } },
  }))
  const { status, text } = await askAll(() => '/mcp', {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: JSON.stringify(messages),
  })
  expect(status).toBe(200)
  const answers = JSON.parse(text) as readonly { readonly result: { readonly isError: boolean } }[]
  expect(answers.map(({ result }) => result.isError)).toEqual(messages.map(() => false))
})
