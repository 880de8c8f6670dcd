/** The whole stack as a new user runs it: the process, its files, its URLs and its shutdown. */
import { type ChildProcess, spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isRunning, type ProcessIdentity } from '#core/node/process-table.ts'
import { createPool } from '#core/node/pool.ts'
import type { StackFile } from '../../infra/local/data-dir.ts'
import { metricsList } from '../../infra/prometheus/metrics-list.ts'
import { CONNECT_LIMIT_MS } from '../support/patience.ts'
import { ask } from '../ingestor/control/support.ts'

const CLI = join(import.meta.dirname, '../../infra/cli/booktape.mjs')
const METRICS_LIST = join(import.meta.dirname, '../../docs/metrics.md')
const SYMBOLS = 'BTCUSDT,ETHUSDT,SOLUSDT'

let dir = ''
let running: Run | undefined
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'booktape-stack-'))
  chmodSync(dir, 0o755)
})
afterAll(async () => {
  await running?.end('SIGTERM')
  rmSync(dir, { recursive: true, force: true })
})

interface Run {
  readonly output: () => string
  readonly child: ChildProcess
  readonly exit_code: Promise<number | null>
  end(signal: NodeJS.Signals): Promise<number | null>
}

function run(...args: readonly string[]): Run {
  const child = spawn(process.execPath, [CLI, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => (text += String(chunk)))
  const exit_code = new Promise<number | null>((resolve) =>
    child.once('exit', (code) => resolve(code)),
  )
  return {
    child,
    output: () => text,
    exit_code,
    end(signal) {
      child.kill(signal)
      return exit_code
    },
  }
}

const start = (): Run =>
  run('start', '--data-dir', dir, '--symbols', SYMBOLS, '--rate', '300', '--feed', 'sim')

/** A start takes 7 s on two idle cores; a loaded machine needs longer. */
const LIMIT_MS = 200_000

async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + LIMIT_MS
  for (;;) {
    const found = await look().catch(() => undefined)
    if (found !== undefined) return found
    if (Date.now() > deadline)
      throw new Error(`waited ${LIMIT_MS} ms for ${what}\n${running?.output()}`)
    await sleep(50)
  }
}

const readStack = (): StackFile =>
  JSON.parse(readFileSync(join(dir, 'stack.json'), 'utf8')) as StackFile
const readChildren = (): readonly ProcessIdentity[] =>
  JSON.parse(readFileSync(join(dir, 'children.json'), 'utf8')) as readonly ProcessIdentity[]

async function countQuotes(): Promise<number> {
  const pool = createPool(readStack().postgres_url, 'test', 1, CONNECT_LIMIT_MS)
  try {
    const { rows } = await pool.query<{ count: string }>(
      'select count(*) from marketdata.book_ticker',
    )
    return Number(rows[0]!.count)
  } finally {
    await pool.end()
  }
}

const grows = (from: number) => async (): Promise<number | undefined> => {
  const count = await countQuotes()
  return count > from ? count : undefined
}

test('it prints all URLs, and that the market is simulated', async () => {
  running = start()
  await until('the URLs', async () => (running!.output().includes('is running') ? true : undefined))
  expect(running.output()).toContain('simulated')
  const stack = readStack()
  expect(statSync(join(dir, 'stack.json')).mode & 0o777).toBe(0o600)
  const urls = running.output().match(/http:\/\/\S+/g) ?? []
  expect(urls.slice(0, 2)).toEqual([stack.edge_url, stack.console_url])
  expect(urls).toContain(`${stack.edge_url}/docs`)
  expect(running.output()).not.toContain(stack.object_store.secret_access_key)
  expect(running.output()).not.toContain(new URL(stack.postgres_url).password)
  await until('the first rows', grows(0))
  await until('the live line', async () =>
    /\d events\/s \| \S+ rows committed \| lag \d+ ms \| \d+ gaps?/.test(running!.output())
      ? true
      : undefined,
  )
})

test('the edge answers from the rows that were just recorded', async () => {
  const { edge_url } = readStack()
  const latest = await until('a quote', async () => {
    const answer = await fetch(`${edge_url}/v1/quotes/BTCUSDT/latest`)
    return answer.ok ? ((await answer.json()) as Record<string, unknown>) : undefined
  })
  expect(latest).toMatchObject({ exchange: 'binance-futures', symbol: 'BTCUSDT' })
  expect((await fetch(`${edge_url}/health`)).status).toBe(200)
})

async function scrape(job: string, path = '/metrics'): Promise<string> {
  const file = join(dir, 'prometheus/targets', `${job}.json`)
  const [group] = JSON.parse(readFileSync(file, 'utf8')) as [{ readonly targets: string[] }]
  const authorization = `Bearer ${readFileSync(join(dir, 'prometheus/token'), 'utf8')}`
  const answer = await fetch(`http://${group.targets[0]}${path}`, { headers: { authorization } })
  expect(answer.status, job).toBe(200)
  return answer.text()
}

test('Prometheus can scrape each program; docs/metrics.md lists all of it (UPDATE_GOLDEN=1 writes it)', async () => {
  const scrapes = {
    ingestor: await scrape('ingestor'),
    jobs: await scrape('jobs'),
    gateway: await scrape('gateway'),
    // It serves once it has read the tape.
    live: await until('metrics of the live server', () => scrape('live')),
    console: await scrape('console', '/api/metrics'),
  }
  expect(scrapes.ingestor).toMatch(/^ingestor_frames_received_total [1-9]/m)
  expect(statSync(join(dir, 'prometheus/token')).mode & 0o777).toBe(0o600)
  const list = metricsList(scrapes)
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(METRICS_LIST, list)
  expect(readFileSync(METRICS_LIST, 'utf8')).toBe(list)
})

test('index prices of the simulated Deribit come through /prices', async () => {
  const { edge_url } = readStack()
  for (const ticker of ['btc_usd', 'eth_usd']) {
    const latest = await until(`a price of ${ticker}`, async () => {
      const answer = await fetch(`${edge_url}/prices/latest?ticker=${ticker}`)
      return answer.ok
        ? ((await answer.json()) as { ticker: string; timestamp: number })
        : undefined
    })
    expect(latest.ticker).toBe(ticker)
    expect(Math.abs(Date.now() - latest.timestamp)).toBeLessThan(30_000)
  }
})

test('a dataset of the current day is built by hand and served through a signed URL', async () => {
  const today = new Date().toISOString().slice(0, 10)
  const job = run('jobs', 'run', 'features', '--date', today, '--data-dir', dir)
  expect(await job.exit_code, job.output()).toBe(0)
  const { edge_url } = readStack()
  const answer = await fetch(`${edge_url}/v1/datasets/features_1s/yesterday.parquet`)
  expect(answer.status).toBe(200)
  expect(
    Buffer.from(await answer.arrayBuffer())
      .subarray(0, 4)
      .toString(),
  ).toBe('PAR1')
})

/** As docs/deploy-edge.md has them. There are two ingestors here, and so two heartbeats. */
const CONNECTIONS_MAX: Readonly<Record<string, number>> = {
  'booktape-live': 2,
  'booktape-clusters': 3,
  'booktape-ingestor-local': 1,
  'booktape-ingestor-local-deribit': 1,
  'booktape-repair-local': 1,
  'booktape-repair-local-deribit': 1,
  'booktape-control-local': 1,
  'booktape-control-local-deribit': 1,
  'booktape-jobs': 6,
  'booktape-jobs-heavy': 4,
  'booktape-features': 2,
  'booktape-gateway': 3,
  'booktape-console': 2,
}

test('with every job at once and many callers, no program holds more connections than it may', async () => {
  const { edge_url, console_url, console_token, postgres_url } = readStack()
  const pool = createPool(postgres_url, 'test', 1, CONNECT_LIMIT_MS)
  const most = new Map<string, number>()
  const look = async (): Promise<void> => {
    const { rows } = await pool.query<{ program: string; n: number }>(
      // A connection says its program's name once it is let in.
      `select application_name as program, count(*)::int as n from pg_stat_activity
       where backend_type = 'client backend' and pid <> pg_backend_pid()
         and application_name <> '' group by 1`,
    )
    for (const { program, n } of rows) most.set(program, Math.max(n, most.get(program) ?? 0))
  }
  const today = new Date().toISOString().slice(0, 10)
  const began = new Date().toISOString()
  const jobs = ['features', 'datasets', 'archive', 'retention', 'validation', 'stale_days']
  for (const job of jobs) {
    const date = job === 'features' || job === 'datasets' ? { date: today } : {}
    const asked = await fetch(`${console_url}/api/jobs`, {
      method: 'POST',
      headers: { authorization: `Bearer ${console_token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ job, ...date }),
    })
    expect(asked.status).toBe(202)
  }
  const over = new AbortController()
  const call = async (path: string): Promise<void> => {
    while (!over.signal.aborted)
      await fetch(`${edge_url}${path}`).then((answer) => answer.arrayBuffer())
  }
  // The edge joins callers of the same path.
  const callers = ['trades', 'quotes', 'mark-price', 'depth']
    .flatMap((table) => SYMBOLS.split(',').map((symbol) => `/v1/${table}/${symbol}`))
    .map(call)
  await until('the jobs are done', async () => {
    await look()
    const { rows } = await pool.query<{ job: string }>(
      `select distinct job from marketdata.job_runs
       where status <> 'running' and started_at >= $1 and job = any ($2)`,
      [began, ['features', 'datasets', 'retention', 'validation']],
    )
    return rows.length === 4 ? true : undefined
  })
  over.abort()
  await Promise.all(callers)
  await pool.end()
  for (const [program, n] of most) {
    expect(Object.keys(CONNECTIONS_MAX)).toContain(program)
    expect(n, program).toBeLessThanOrEqual(CONNECTIONS_MAX[program]!)
  }
  expect(most.get('booktape-jobs-heavy')).toBeGreaterThan(0)
  expect(most.get('booktape-gateway')).toBeGreaterThan(1)
})

test('a second start on the same folder is refused with a message', async () => {
  const second = start()
  expect(await second.exit_code).toBe(1)
  expect(second.output()).toContain('already running')
})

test('a killed program is restarted, and rows keep coming', async () => {
  const before = await countQuotes()
  const { body } = await ask(join(dir, 'tape', 'control.sock'), '/status')
  expect(readChildren().map(({ pid }) => pid)).toContain(body.ingestor.pid)
  process.kill(body.ingestor.pid, 'SIGKILL')
  await until('the restart', async () =>
    running!.output().includes('The ingestor exited (SIGKILL). Restarting it.') ? true : undefined,
  )
  await until('more rows', grows(before))
})

test('after kill -9, the next start ends the orphans and continues with the data', async () => {
  const children = readChildren()
  const before = await countQuotes()
  await running!.end('SIGKILL')
  rmSync(join(dir, 'stack.json'))
  running = start()
  await until('the URLs', async () => (running!.output().includes('is running') ? true : undefined))
  expect(children.filter(isRunning)).toEqual([])
  await until('more rows', grows(before))
})

test('SIGTERM stops everything in order and leaves no process behind', async () => {
  const children = readChildren()
  const postgres_pid = Number(
    readFileSync(join(dir, 'postgres', 'postmaster.pid'), 'utf8').split('\n')[0],
  )
  expect(await running!.end('SIGTERM')).toBe(0)
  expect(children.filter(isRunning)).toEqual([])
  expect(() => process.kill(postgres_pid, 0)).toThrow(/ESRCH/)
  expect(existsSync(join(dir, 'stack.lock'))).toBe(false)
  running = undefined
})

test('a closed terminal (SIGHUP) also stops everything', async () => {
  running = run('start', '--data-dir', dir, '--feed', 'none')
  await until('the URLs', async () => (running!.output().includes('is running') ? true : undefined))
  const children = readChildren()
  const postgres_pid = Number(
    readFileSync(join(dir, 'postgres', 'postmaster.pid'), 'utf8').split('\n')[0],
  )
  expect(await running.end('SIGHUP')).toBe(0)
  expect(children.filter(isRunning)).toEqual([])
  expect(() => process.kill(postgres_pid, 0)).toThrow(/ESRCH/)
  running = undefined
})

test('unknown flags and files that are not recordings are refused before anything starts', async () => {
  const other = join(dir, 'untouched')
  for (const [args, message, exit_code] of [
    [['--fed', 'sim'], "unknown option '--fed'", 2],
    [['--feed', join(dir, 'secrets.json')], 'line 1', 1],
    [['--feed', 'simulated'], 'not sim, live or none', 2],
    [['--port-base', '80'], '1024', 2],
  ] as const) {
    const refused = run('start', '--data-dir', other, ...args)
    expect(await refused.exit_code).toBe(exit_code)
    expect(refused.output()).toContain(message)
    expect(existsSync(other)).toBe(false)
  }
})
