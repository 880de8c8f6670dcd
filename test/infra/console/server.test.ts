/**
 * The console's API over a real installation: what it says, who may steer, and what it says when
 * things break.
 */
import { execFile } from 'node:child_process'
import { request } from 'node:http'
import { join } from 'node:path'
import { runMigrations } from 'graphile-worker'
import { expect, test } from 'vitest'
import type { AuditView, JobsView, StreamsView } from '../../../infra/console/wire.ts'
import { retireIngestor } from '../../../infra/handover/end-streams.ts'
import { until } from '../../ingestor/support.ts'
import { publish, setLatest } from '../../edge-api/support.ts'
import { OPERATE, READ, startStand, SYMBOLS, watch } from './stand.ts'

const stand = await startStand()
const { url, pool, exchange } = stand

interface Answer {
  readonly status: number
  // JSON of any route: the expectations below name and compare the fields that they read.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any
}

async function call(
  path: string,
  method = 'GET',
  body?: unknown,
  token?: string,
  headers = {},
): Promise<Answer> {
  const response = await fetch(`${url}/api${path}`, {
    method,
    redirect: 'manual',
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
  })
  return { status: response.status, body: await response.json().catch(() => undefined) }
}

const codes = async (): Promise<readonly string[]> =>
  (await stand.summary()).troubles.map(({ code }) => code)
const isWell = async (): Promise<boolean> => (await stand.summary()).level === 'ok'

test('it finds the ingestor by its heartbeat, and says in a sentence that all is well', async () => {
  await until('all is well with figures', async () => {
    const { level, totals } = await stand.summary()
    return level === 'ok' && (totals?.events_per_s ?? 0) > 100 && (totals?.rows_per_s ?? 0) > 0
  })
  const { sentence, totals, ingestors, database, store } = await stand.summary()
  expect(sentence).toMatch(
    /^All is well: 3 symbols of binance-futures recorded, [\d,]+ events\/s, in Postgres .* after they arrive\.$/,
  )
  expect(totals).toMatchObject({ symbol_count: 3 })
  expect(totals!.streams_heard).toBe(totals!.streams_wanted)
  expect(ingestors).toMatchObject([{ ingestor_id: 'one', reach: 'answers', error: null }])
  expect([database.is_up, store.is_up]).toEqual([true, true])
})

test('every viewer gets the same picture, at least every five seconds', async () => {
  const [one, other] = [await watch(url), await watch(url)]
  const began_ms = performance.now()
  await until('three pictures', () => one.count() >= 3 && other.count() >= 3)
  expect(performance.now() - began_ms).toBeLessThan(60_000)
  expect(one.newest()?.ingestors.length).toBe(1)
  await until('the same one', () => one.newest()?.at === other.newest()?.at)
  one.end()
  other.end()
})

test('streams have their usual pace, channel by channel', async () => {
  const grid = async (): Promise<StreamsView> => (await call('/streams')).body as StreamsView
  await until('quotes are as usual', async () =>
    (await grid()).symbols.every(
      ({ cells }) => cells.find(({ channel }) => channel === 'book_ticker')?.pace === 'ok',
    ),
  )
  const { symbols, channels } = await grid()
  expect(symbols.map(({ symbol }) => symbol)).toEqual(SYMBOLS)
  expect(channels.slice(0, 3)).toEqual(['book_ticker', 'trades', 'depth_events'])
  const detail = (await call('/symbols/binance-futures/BTCUSDT')).body
  expect(detail.gaps).toEqual([])
  const book = detail.streams.find(
    (stream: { channel: string }) => stream.channel === 'depth_events',
  )
  expect(book).toMatchObject({ is_heard: true, ingestor_id: 'one' })
})

test('whoever shows no token may look; to steer takes the scope operate', async () => {
  for (const [token, method, path, body, status] of [
    [undefined, 'GET', '/summary', undefined, 200],
    [READ, 'GET', '/summary', undefined, 200],
    ['x'.repeat(32), 'GET', '/summary', undefined, 401],
    [undefined, 'POST', '/stop', {}, 403],
    [READ, 'POST', '/stop', {}, 403],
    [READ, 'POST', '/jobs', { job: 'archive' }, 403],
    [READ, 'POST', '/scale', { count: 1 }, 403],
    [OPERATE, 'POST', '/stop', { ingestors: ['nobody'] }, 404],
    [OPERATE, 'POST', '/stop', { ingestor: 'one' }, 400],
    [OPERATE, 'POST', '/stop?dryrun=true', {}, 400],
    [undefined, 'GET', '/gaps?date=2026-02-30', undefined, 400],
    [undefined, 'GET', '/summary?x=1', undefined, 400],
    [undefined, 'GET', '/nothing', undefined, 404],
  ] as const) {
    const answer = await call(path, method, body, token)
    expect(answer.status, `${method} ${path} ${token} ${JSON.stringify(answer.body)}`).toBe(status)
  }
  expect((await stand.summary()).ingestors[0]!.status!.actual.recording).toBe('recording')
  expect((await call('/audit')).body.entries).toEqual([])
})

test('another host name and a page of another origin are refused', async () => {
  const port = Number(new URL(url).port)
  const asked = (headers: Record<string, string>): Promise<number> =>
    new Promise((resolve, reject) => {
      request({ host: '127.0.0.1', port, path: '/api/summary', headers }, (response) => {
        response.resume()
        resolve(response.statusCode ?? 0)
      })
        .on('error', reject)
        .end()
    })
  expect(await asked({ host: `127.0.0.1:${port}` })).toBe(200)
  expect(await asked({ host: `evil.example:${port}` })).toBe(403)
  expect(await asked({ host: `127.0.0.1:${port}`, origin: 'http://evil.example' })).toBe(403)
})

test('an Idempotency-Key that is too long is refused, because two could become one', async () => {
  for (const key of ['k'.repeat(127), 'two words', '']) {
    const headers = { 'idempotency-key': key }
    for (const [path, body] of [
      ['/stop', {}],
      ['/jobs', { job: 'archive' }],
    ] as const) {
      const { status, body: problem } = await call(path, 'POST', body, OPERATE, headers)
      expect([status, problem.detail]).toEqual([
        400,
        'Expected 1 to 126 printable characters without a space.',
      ])
    }
  }
  expect((await codes()).includes('paused')).toBe(false)
})

test('stop and start go through the ingestor, which says for whom in its audit log', async () => {
  const plan = await call('/stop?dry_run=true', 'POST', {}, OPERATE)
  expect(plan.body.outcomes).toMatchObject([
    { ingestor_id: 'one', is_done: true, answer: { is_dry_run: true } },
  ])
  expect((await call('/stop', 'POST', {}, OPERATE)).status).toBe(200)
  await until('it says that it is paused', async () => (await codes()).includes('paused'))
  expect((await stand.summary()).sentence).toBe(
    'Ingestor one is paused by local for alice: nothing is recorded.',
  )
  expect((await call('/start', 'POST', { symbols: ['BTCUSDT', 'NOSUCH'] }, OPERATE)).status).toBe(
    422,
  )
  expect((await call('/start', 'POST', {}, OPERATE)).status).toBe(200)
  await until('it records again', isWell)
  const seen = async (): Promise<AuditView> => (await call('/audit')).body as AuditView
  await until('both are in the audit log', async () => (await seen()).entries.length === 2)
  expect((await seen()).source).toBe('database')
  expect((await seen()).entries).toMatchObject([
    { actor: 'local for alice', action: 'recording', request: { state: 'recording' } },
    { actor: 'local for alice', action: 'recording', request: { state: 'paused' } },
  ])
})

test('a job is put into the queue with its date, once, and that is in the audit log', async () => {
  expect((await call('/jobs', 'POST', { job: 'archive' }, OPERATE)).status).toBe(409)
  await runMigrations({ pgPool: pool })
  expect((await call('/jobs', 'POST', { job: 'features' }, OPERATE)).status).toBe(422)
  expect((await call('/jobs', 'POST', { job: 'rm -rf' }, OPERATE)).status).toBe(422)
  const features = { job: 'features', date: '2026-11-20' }
  const retried = { 'idempotency-key': 'k'.repeat(126) }
  for (const headers of [{}, retried, retried]) {
    expect((await call('/jobs', 'POST', features, OPERATE, headers)).status).toBe(202)
  }
  const other = await call('/jobs', 'POST', { job: 'archive' }, OPERATE, retried)
  expect(other).toMatchObject({ status: 422, body: { type: 'urn:booktape:problem:key_reused' } })
  const { rows } = await pool.query(
    'select task_identifier, queue_name, max_attempts from graphile_worker.jobs',
  )
  expect(rows).toEqual([{ task_identifier: 'features', queue_name: 'features', max_attempts: 1 }])
  const jobs = (await call('/jobs')).body as JobsView
  expect(jobs.queued).toMatchObject([{ job: 'features' }])
  const { entries } = (await call('/audit')).body as AuditView
  // A retry with the same key is no second change.
  expect(entries.filter(({ action }) => action === 'run_job')).toHaveLength(2)
  expect(entries[0]).toMatchObject({
    program: 'console',
    actor: 'alice',
    action: 'run_job',
    request: { job: 'features', date: '2026-11-20' },
  })
})

test('a run is shown with its log, and one that failed is named until it is done', async () => {
  const insert = `insert into marketdata.job_runs (job, job_window, status, attempt, started_at, finished_at, error, log_lines)
    values ('archive', '2026-11-20T01', $1, 1, now(), now(), $2, '[{"ts":"2026-11-20T02:00:00.000Z","level":"info","msg":"Writing."}]')
    returning id::text as id`
  const viewer = await watch(url)
  const { rows } = await pool.query<{ id: string }>(insert, ['failed', 'The disk is full.'])
  await until('it is named', async () => (await codes()).includes('job_failed'))
  expect((await stand.summary()).sentence).toBe(
    'Job archive for 2026-11-20T01 failed: The disk is full.',
  )
  const run = (await call(`/jobs/${rows[0]!.id}`)).body
  expect(run).toMatchObject({ status: 'failed', lines: [{ msg: 'Writing.' }] })
  await pool.query(insert, ['done', null])
  await until('it is not named any more', isWell)
  viewer.end()
})

test('a published day is listed with its coverage, and its file is one signed link away', async () => {
  const bytes = new Uint8Array([80, 65, 82, 49])
  await setLatest(stand.store, await publish(stand.store, 'features_1s', '2026-11-20', { bytes }))
  expect((await call('/datasets')).body.datasets).toMatchObject([
    { dataset: 'features_1s', days: [{ date: '2026-11-20' }], newest: { date: '2026-11-20' } },
  ])
  const { days } = (await call('/datasets/features_1s/months/2026-11')).body
  expect(days).toHaveLength(1)
  expect(days[0].coverage).toBeGreaterThan(0)
  const day = (await call('/datasets/features_1s/2026-11-20')).body
  const [file] = day.files
  const link = await fetch(`${url}/api/datasets/features_1s/2026-11-20/files/${file.name}`)
  expect(new Uint8Array(await link.arrayBuffer())).toEqual(bytes)
  expect((await call('/datasets/features_1s/2026-11-20/files/..%2Fmanifest.json')).status).toBe(404)
  expect((await call('/datasets/features_1s/2026-11-19')).status).toBe(404)
})

test('the database says what it holds and why nothing may go', async () => {
  const { retention, version } = (await call('/db-stats')).body
  expect(version).toMatch(/^\d+/)
  const quotesNow = async () =>
    (await call('/db-stats')).body.tables.find(
      ({ name }: { name: string }) => name === 'book_ticker',
    )
  // Also before Postgres has analyzed the table for the first time.
  await until('rows are estimated', async () => (await quotesNow()).row_estimate > 0)
  const quotes = await quotesNow()
  expect(quotes.bytes).toBeGreaterThan(0)
  expect(quotes.partition_count).toBeGreaterThan(0)
  const current = retention.partitions.find(
    ({ table_name }: { table_name: string }) => table_name === 'book_ticker',
  )
  expect(current).toMatchObject({ is_dropped: false, reason: 'not_over' })
  const report = (await call('/validate')).body
  expect(report.looked_at.structure).toMatch(/tables/)
})

test('the command line asks this console, as it asks a database of its own', async () => {
  const there = ['--server', url]
  expect(await booktape('db-stats', ...there)).toMatch(/^The database has .* MB\.\nTABLE +PARTS/)
  expect(JSON.parse(await booktape('db-stats', '--json', ...there)).tables.length).toBeGreaterThan(
    9,
  )
  const { looked_at } = JSON.parse(await booktape('validate', '--json', ...there))
  expect(looked_at.structure).toMatch(/tables/)
})

/** What it prints; what it found gives an exit code. */
function booktape(...args: readonly string[]): Promise<string> {
  const cli = join(import.meta.dirname, '../../../infra/cli/booktape.mjs')
  return new Promise((resolve) => {
    execFile(process.execPath, [cli, ...args], (_error, out) => resolve(out))
  })
}

test('a stream that the exchange silences is named within five seconds', async () => {
  const viewer = await watch(url)
  exchange.setFaults({ faults: [{ kind: 'silence', streams: 'btcusdt@bookTicker' }] })
  const began_ms = performance.now()
  const said = (): string =>
    viewer.newest()?.troubles.find(({ code }) => code === 'streams_silent')?.text ?? ''
  await until('it is named', () => said() !== '')
  const took_ms = performance.now() - began_ms
  expect(said()).toContain('BTCUSDT book_ticker')
  expect(said()).not.toContain('ETHUSDT')
  exchange.setFaults({ faults: [] })
  await until('it speaks again', () => viewer.newest()?.level === 'ok')
  viewer.end()
  expectSoon('silence', took_ms)
})

test('Postgres stopped: named within five seconds, and everything that needs it not is still there', async () => {
  const viewer = await watch(url)
  await stand.stopPostgres()
  const began_ms = performance.now()
  const isNamed = (): boolean =>
    viewer
      .newest()
      ?.troubles.some(({ code }) => code === 'database_away' || code === 'postgres_away') === true
  await until('it is named', isNamed)
  expectSoon('Postgres stopped', performance.now() - began_ms)
  await until('the console sees it itself', () => viewer.newest()?.database.is_up === false)
  await until(
    'the ingestor says it too',
    () => viewer.newest()?.sentence.includes('cannot write to Postgres') === true,
  )
  expect(viewer.newest()!.sentence).toMatch(/The tape has room for /)
  const gaps = await call('/gaps?date=2026-11-20')
  expect(gaps).toMatchObject({ status: 503, body: { type: 'urn:booktape:problem:database_away' } })
  expect((await call('/streams')).body.symbols).toHaveLength(3)
  const audit = (await call('/audit')).body as AuditView
  expect(audit.source).toBe('ingestors')
  expect(audit.entries.map(({ action }) => action)).toEqual(['recording', 'recording'])
  expect((await call('/datasets')).body.datasets).toHaveLength(1)
  await stand.startPostgres()
  await until('all is well again', () => viewer.newest()?.level === 'ok')
  viewer.end()
})

test('an ingestor that is killed is named within five seconds, with what is not recorded', async () => {
  const viewer = await watch(url)
  stand.ingestor.kill('SIGKILL')
  await stand.ingestor.exited
  const began_ms = performance.now()
  const said = (): string => viewer.newest()?.sentence ?? ''
  await until('it is named', () => said().includes('does not answer'))
  expectSoon('ingestor killed', performance.now() - began_ms)
  expect(said()).toBe(
    'Ingestor one (binance-futures) does not answer: nobody listens on its socket: its process has ended. Its 3 symbols are not recorded.',
  )
  await stand.startIngestor()
  await until('all is well again', () => viewer.newest()?.level === 'ok')
  viewer.end()
})

test('an ingestor of another machine is shown until it is retired', async () => {
  await pool.query(
    `insert into marketdata.ingestors (ingestor_id, exchange, host, pid, version, started_at,
       endpoint, state, recording, revision, symbols_wanted, streams_wanted, streams_heard, seen_at)
     values ('far', 'deribit', 'another', 1, '1', now(), 'unix:/x', 'live', 'recording', 0, 1, 2, 2,
       now() - interval '1 hour')`,
  )
  const viewer = await watch(url)
  await until('it is missed', () => viewer.newest()?.sentence.includes('far') === true)
  expect(viewer.newest()!.sentence).toMatch(
    /^Ingestor far \(deribit\) on another has not reported itself for 60 min\.$/,
  )
  await pool.query(
    "insert into marketdata.tape_positions (ingestor_id, tape_id, tape_position, updated_at) values ('far', gen_random_uuid(), 0, now() - interval '1 hour')",
  )
  expect(await retireIngestor(pool, 'far')).toBe(0)
  await until('all is well without it', () => viewer.newest()?.level === 'ok')
  expect(viewer.newest()!.ingestors.map(({ ingestor_id }) => ingestor_id)).toEqual(['one'])
  viewer.end()
})

/** Five seconds, and what a busy machine may add to them. */
const LIMIT_MS = 30_000

function expectSoon(what: string, took_ms: number): void {
  expect(took_ms, what).toBeLessThan(LIMIT_MS)
}
