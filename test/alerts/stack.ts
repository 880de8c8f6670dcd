/** A local stack as the faults see it: its processes, its exchange, its database. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createPool, type Pool } from '#core/node/pool.ts'
import type { StackFile } from '../../infra/local/data-dir.ts'
import { freePort } from '../../infra/local/ports.ts'
import { type LatencyProxy, startLatencyProxy } from './latency-proxy.ts'
import { clockEnvironment, setClock } from './faketime.ts'
import type { Monitoring } from './monitoring.ts'

export interface LocalStack {
  readonly dir: string
  readonly file: StackFile
  readonly monitoring: Monitoring
  readonly small: SmallIngestor
  /** Processes of this stack that run this entry file. */
  pidsOf(entry: string): readonly number[]
  childrenOf(pid: number): readonly number[]
  postgresPids(): readonly number[]
  exchange(request: object): Promise<void>
  /** `npx booktape ARGS` on this stack. */
  booktape(...args: readonly string[]): void
  /** A GET of the edge; its outcome does not matter. */
  ask(path: string): Promise<void>
  /** Through the gateway; its outcome does not matter. */
  sql(query: string): Promise<void>
  connectionLimit(): Promise<number>
  /** Recorded ones of the stack's exchange. */
  symbols(): Promise<readonly string[]>
  /** A cursor of the live stream that is older than every message. */
  oldestCursor(): Promise<{ readonly epoch: string; readonly seq: number }>
}

export const CLI = join(import.meta.dirname, '../../infra/cli/booktape.mjs')
const ROOT = join(import.meta.dirname, '../..')

export function openStack(
  dir: string,
  file: StackFile,
  monitoring: Monitoring,
  small: SmallIngestor,
): LocalStack {
  // The gateway has no file of its own, but only this stack has this port.
  const marks = [dir, `:${new URL(file.postgres_url).port}/`]
  const pool: Pool = createPool(file.postgres_url, 'alerts-test', 1)
  return {
    dir,
    file,
    monitoring,
    small,
    pidsOf: (entry) =>
      allPids().filter((pid) => {
        const { command, environment } = processOf(pid)
        return command.includes(entry) && marks.some((mark) => environment.includes(mark))
      }),
    postgresPids() {
      const [first] = readFileSync(join(dir, 'postgres/postmaster.pid'), 'utf8').split('\n')
      const postmaster = Number(first)
      return [postmaster, ...childrenOf(postmaster)]
    },
    childrenOf,
    async exchange(request) {
      const answer = await fetch(`${file.exchange_url}/_exchange/faults`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(request),
      })
      if (!answer.ok) throw new Error(await answer.text())
    },
    booktape(...args) {
      const result = spawnSync(process.execPath, [CLI, ...args, '--data-dir', dir], {
        encoding: 'utf8',
      })
      if (result.status !== 0) throw new Error(`booktape ${args.join(' ')}: ${result.stderr}`)
    },
    ask: (path) => ask(`${file.edge_url}${path}`),
    async sql(query) {
      const env = file.environments['gateway']!
      await fetch(`${file.gateway_url}/sql`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${env['GATEWAY_SECRET']}`,
          'neon-connection-string': env['DATABASE_URL']!,
        },
        body: JSON.stringify({ query, params: [] }),
      }).then(
        (answer) => answer.text(),
        () => undefined,
      )
    },
    async connectionLimit() {
      const { rows } = await pool.query<{ limit: number }>(
        "select current_setting('max_connections')::int as limit",
      )
      return rows[0]!.limit
    },
    async symbols() {
      const { rows } = await pool.query<{ symbol: string }>(
        `select distinct symbol from marketdata.symbols s
         join marketdata.stream_offsets o on o.symbol_id = s.id
         where exchange = 'binance-futures' and channel = 'trades' order by symbol`,
      )
      return rows.map(({ symbol }) => symbol)
    },
    async oldestCursor() {
      const { rows } = await pool.query<{ epoch: string; seq: number }>(
        `select epoch::text as epoch,
           ceil(extract(epoch from began_at) * 1000000)::float8 as seq
         from marketdata.live_epoch`,
      )
      return rows[0]!
    },
  }
}

/** A GET whose outcome does not matter. */
export async function ask(url: string): Promise<void> {
  await fetch(url).then(
    (answer) => answer.text(),
    () => undefined,
  )
}

/** A second ingestor of the same symbols. */
export interface SmallIngestor {
  readonly pid: number
  /** Between the exchange's sockets and it. */
  readonly network: LatencyProxy
  /** See faketime.ts. */
  setClock(offset: string): void
  stop(): void
}

/** Its tape is small enough to fill, and its batches are too small for a slow Postgres. */
export async function startSmallIngestor(dir: string, file: StackFile): Promise<SmallIngestor> {
  const port = await freePort()
  // The stack of this test has an exchange server of its own.
  const network = await startLatencyProxy(Number(new URL(file.exchange_url!).port))
  const tape_dir = join(dir, 'tape-small')
  mkdirSync(tape_dir, { recursive: true })
  const clock_file = join(tape_dir, 'clock')
  const log = openSync(join(dir, 'logs/small-ingestor.log'), 'a')
  const child = spawn(process.execPath, [join(ROOT, 'ingestor/main.ts')], {
    cwd: ROOT,
    stdio: ['ignore', log, log],
    env: {
      PATH: process.env['PATH'] ?? '',
      ...file.environments['ingestor'],
      ...clockEnvironment(clock_file),
      INGESTOR_ID: 'small',
      EXCHANGE_WS_URL: `ws://127.0.0.1:${network.port}`,
      BATCH_ROWS_MAX: '1000',
      TAPE_DIR: tape_dir,
      TAPE_MAX_BYTES: String(64 << 20),
      TAPE_SEGMENT_BYTES: String(16 << 20),
      TAPE_KEEP_S: '1',
      METRICS_PORT: String(port),
    },
  })
  process.once('exit', () => child.kill('SIGKILL'))
  const targets_file = join(dir, 'prometheus/targets/ingestor.json')
  const [group] = JSON.parse(readFileSync(targets_file, 'utf8')) as [{ targets: string[] }]
  group.targets.push(`127.0.0.1:${port}`)
  writeFileSync(targets_file, JSON.stringify([group]))
  return {
    pid: child.pid!,
    network,
    setClock: (offset) => setClock(clock_file, offset),
    stop() {
      child.kill('SIGKILL')
      network.close()
    },
  }
}

function allPids(): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
}

function childrenOf(parent: number): readonly number[] {
  return allPids().filter((pid) => parentOf(pid) === parent)
}

function processOf(pid: number): { readonly command: string; readonly environment: string } {
  try {
    return {
      command: readFileSync(`/proc/${pid}/cmdline`, 'utf8'),
      environment: readFileSync(`/proc/${pid}/environ`, 'utf8'),
    }
  } catch {
    // It has ended.
    return { command: '', environment: '' }
  }
}

function parentOf(pid: number): number {
  try {
    return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
  } catch {
    return 0
  }
}
