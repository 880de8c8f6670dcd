/**
 * A machine to deploy to: a folder behind a real sshd, with Postgres, an object store and an
 * exchange that its programs use. The dependencies are there already, as after an earlier deploy of
 * the same lock file: those of this checkout.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { createPool, type Pool } from '#core/node/pool.ts'
import { dependenciesName } from '../../../infra/deploy/release.ts'
import { type ExchangeServer, startExchange } from '../../../infra/exchange/server.ts'
import { isRunning, identify } from '#core/node/process-table.ts'
import { signal } from '../../../infra/local/helper-processes.ts'
import { freePort } from '../../../infra/local/ports.ts'
import { startPostgres } from '../../../infra/local/postgres.ts'
import { takeBucket } from '../../support/bucket.ts'
import { atFileEnd } from '../../support/file-end.ts'
import { CONNECT_LIMIT_MS } from '../../support/patience.ts'
import { ROOT } from '../../support/imports.ts'
import { type Sshd, startSshd } from './sshd.ts'

export const SYMBOLS = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT']

export interface Ended {
  readonly code: number
  /** Both outputs. */
  readonly text: string
}

export interface Machine {
  readonly sshd: Sshd
  readonly prefix: string
  readonly settings_dir: string
  readonly settings: Record<string, string>
  readonly pool: Pool
  readonly exchange: ExchangeServer
  /** `npx booktape deploy`, with these flags besides those that name the machine. */
  deploy(
    flags: readonly string[],
    overrides?: Overrides,
  ): { readonly child: ChildProcess; readonly ended: Promise<Ended> }
  writeSettings(): void
  /** Name of the release that a link in opt/booktape has. */
  link(name: string): string
  pidsOf(entry: string): readonly number[]
}

export interface Overrides {
  readonly destination?: string
  readonly sshd?: Partial<Sshd>
  /** Checkout that is deployed. */
  readonly root?: string
  readonly env?: Readonly<Record<string, string>>
}

export async function startMachine(): Promise<Machine> {
  const sshd = await startSshd()
  const prefix = mkdtempSync(join(tmpdir(), 'bt-'))
  const settings_dir = mkdtempSync(join(tmpdir(), 'booktape-settings-'))
  const exchange = await startExchange({
    port: 0,
    source: { kind: 'sim', seed: 11, symbols: SYMBOLS, events_per_s: 600 },
  })
  atFileEnd(() => exchange.stop())
  // The doctor objects to the one that tests share: a crash would lose its data.
  const postgres = await startPostgres({
    dir: mkdtempSync(join(tmpdir(), 'booktape-postgres-')),
    port: await freePort(),
    password: 'test',
  })
  const pool = createPool(postgres.url, 'test', 2, CONNECT_LIMIT_MS)
  atFileEnd(async () => {
    await pool.end()
    await postgres.stop()
  })
  const store = takeBucket()
  const settings: Record<string, string> = {
    DATABASE_URL: postgres.url,
    EXCHANGE_WS_URL: exchange.ws_url,
    EXCHANGE_REST_URL: exchange.url,
    SYMBOLS: SYMBOLS.join(','),
    DEPTH_SYMBOLS: 'all',
    S3_ENDPOINT: store.endpoint,
    S3_BUCKET: store.bucket,
    S3_REGION: store.region,
    S3_ACCESS_KEY_ID: store.access_key_id,
    S3_SECRET_ACCESS_KEY: store.secret_access_key,
    FEATURES_THREADS: '0',
    // Quiet streams would make each handover last a minute.
    CHANNELS: 'book_ticker,trades,depth_events',
  }
  const writeSettings = (): void => {
    const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`)
    writeFileSync(join(settings_dir, 'booktape.env'), lines.join(''), { mode: 0o600 })
  }
  writeSettings()
  const cpu = process.arch
  const dependencies = join(prefix, 'opt/booktape/dependencies', dependenciesName(cpu))
  mkdirSync(dependencies, { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(dependencies, 'node_modules'))
  const pidsOf = (entry: string): readonly number[] => processesUnder(prefix, entry)
  atFileEnd(async () => {
    const pids = [...pidsOf('supervise'), ...pidsOf('')]
    const identities = pids.flatMap((pid) => identify(pid) ?? [])
    // The programs end with their supervisor, perhaps before their own signal.
    for (const { pid } of identities) signal(pid, 'SIGTERM')
    while (identities.some(isRunning)) await new Promise((resolve) => setTimeout(resolve, 50))
  })
  return {
    sshd,
    prefix,
    settings_dir,
    settings,
    pool,
    exchange,
    writeSettings,
    pidsOf,
    link: (name) => basename(readlinkSync(join(prefix, 'opt/booktape', name))),
    deploy(
      flags,
      { destination = sshd.destination, sshd: other = {}, root = ROOT, env = {} } = {},
    ) {
      const { port, identity, ssh_config } = { ...sshd, ...other }
      const args = [
        join(root, 'infra/cli/main.ts'),
        'deploy',
        destination,
        ...Object.entries({ port, identity, 'ssh-config': ssh_config, prefix }).flatMap(
          ([name, value]) => [`--${name}`, String(value)],
        ),
        ...flags,
      ]
      const child = spawn(process.execPath, args, {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
      })
      let text = ''
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (part: string) => (text += part))
      }
      const ended = new Promise<Ended>((resolve) => {
        child.once('close', (code) => resolve({ code: code ?? -1, text }))
      })
      return { child, ended }
    },
  }
}

/** Processes whose command line names the prefix and this. */
function processesUnder(prefix: string, entry: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
        return (
          line.includes(`${prefix}/`) && line.includes(entry) && !line.includes('main.ts deploy')
        )
      } catch {
        return false
      }
    })
}
