/**
 * The data folder of one local stack: its lock, its secrets and its data. Layout:
 *
 *   stack.lock    the supervisor that holds the folder, and its launcher (pids, start times)
 *   children.json the processes it started, so that the next start can end orphans
 *   secrets.json  passwords generated at the first start (0600)
 *   stack.json    URLs and keys of the running services (0600)
 *   revoked-tokens  ids of revoked tokens
 *   prometheus/   configuration to scrape this stack, with its token
 *   postgres/ object-store/ tape/ tape-deribit/ logs/ work/
 */
import { randomBytes } from 'node:crypto'
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { OperatorError } from '#core/errors.ts'
import type { ObjectStoreConfig } from '#core/node/object-store.ts'
import { identify, isRunning, type ProcessIdentity } from '#core/node/process-table.ts'
import { signal, untilEnded } from './helper-processes.ts'

export interface Secrets {
  readonly postgres_password: string
  readonly edge_password: string
  readonly gateway_secret: string
  readonly clusters_secret: string
  readonly access_key_id: string
  readonly secret_access_key: string
  /** Signs access tokens of the edge. */
  readonly token_secret: string
  /** Steers the ingestors and runs jobs from the console. */
  readonly console_token: string
  /** Reads metrics. */
  readonly metrics_token: string
}

/** DATA_DIR/stack.json. */
export interface StackFile {
  readonly postgres_url: string
  readonly edge_url: string
  readonly console_url: string
  /** Of scope operate. */
  readonly console_token: string
  readonly gateway_url: string
  /** Null where there is no feed. */
  readonly live_url: string | null
  readonly clusters_url: string
  /** The simulated, replayed or (--feed live) real exchange; null for --feed none. */
  readonly exchange_url: string | null
  readonly object_store: ObjectStoreConfig
  /** Settings of the jobs daemon; jobs run by hand use them too. */
  readonly jobs_settings: Readonly<Record<string, string>>
  /** What each program is started with, by its name. Ingestors: none where there is no feed. */
  readonly environments: Readonly<Record<string, Readonly<Record<string, string>>>>
}

export interface DataDir {
  readonly path: string
  readonly secrets: Secrets
  /** A path inside the folder. */
  join(...parts: string[]): string
  writeStackFile(stack: StackFile): void
  /** Records the processes that must not outlive the supervisor. */
  writeChildren(children: readonly ProcessIdentity[]): void
  /** Releases the folder. */
  release(): void
}

const ORPHAN_GRACE_MS = 15_000
/** A supervisor whose launcher was killed stops by itself, but may first commit many rows. */
const STOPPING_GRACE_MS = 60_000

interface Holder extends ProcessIdentity {
  readonly launcher?: ProcessIdentity
}

/**
 * Locks the folder for this process, creates it if necessary, and ends the processes that a killed
 * supervisor left running. Throws if another stack holds the folder. If that stack's launcher was
 * killed, the stack is about to stop, and this call waits for it.
 */
export async function openDataDir(dir: string, launcher?: ProcessIdentity): Promise<DataDir> {
  const path = resolve(dir)
  try {
    // Postgres may run as another user and must enter the folder; the secrets stay private.
    mkdirSync(path, { recursive: true, mode: 0o755 })
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (cause) {
    throw new OperatorError(
      'data_dir_unusable',
      `The data directory ${dir} cannot be used: ${String(cause)}.`,
      {
        hint: 'Choose another --data-dir that you can write to.',
        cause,
      },
    )
  }
  const lock_file = join(path, 'stack.lock')
  await takeLock(lock_file, path, launcher)
  const children_file = join(path, 'children.json')
  try {
    await endOrphans(children_file)
    return {
      path,
      secrets: loadSecrets(join(path, 'secrets.json')),
      join: (...parts) => join(path, ...parts),
      writeStackFile: (stack) => writePrivate(join(path, 'stack.json'), stack),
      writeChildren: (children) => writePrivate(children_file, children),
      release() {
        rmSync(children_file, { force: true })
        rmSync(lock_file, { force: true })
      },
    }
  } catch (error) {
    rmSync(lock_file, { force: true })
    throw error
  }
}

/** Reads DATA_DIR/stack.json of a running stack. */
export function readStackFile(dir: string): StackFile {
  const holder = readHolder(join(dir, 'stack.lock'))
  if (holder === undefined || !isRunning(holder) || !existsSync(join(dir, 'stack.json'))) {
    throw new OperatorError('no_stack', `No stack is running on ${resolve(dir)}.`, {
      hint: 'Start one with `npm start`, or give its folder with --data-dir.',
    })
  }
  return JSON.parse(readFileSync(join(dir, 'stack.json'), 'utf8')) as StackFile
}

/** Reads DATA_DIR/secrets.json; the stack need not be running. */
export function readSecrets(dir: string): Secrets {
  const file = join(dir, 'secrets.json')
  const secrets = existsSync(file)
    ? (JSON.parse(readFileSync(file, 'utf8')) as Partial<Secrets>)
    : {}
  if (secrets.token_secret !== undefined) return secrets as Secrets
  throw new OperatorError('no_secrets', `${resolve(dir)} has no secret to sign tokens with.`, {
    hint: '`npm start` creates it. Or use another folder (--data-dir) or secret (TOKEN_SECRET).',
  })
}

async function takeLock(
  lock_file: string,
  path: string,
  launcher: ProcessIdentity | undefined,
): Promise<void> {
  const own = JSON.stringify({ ...identify(process.pid), launcher })
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      const file = openSync(lock_file, 'wx', 0o600)
      writeSync(file, own)
      closeSync(file)
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const holder = readHolder(lock_file)
    if (holder?.launcher !== undefined && !isRunning(holder.launcher)) {
      await untilEnded([holder], STOPPING_GRACE_MS)
    } else if (holder !== undefined && isRunning(holder)) {
      throw new OperatorError(
        'data_dir_taken',
        `A stack is already running on ${path} (process ${holder.pid}).`,
        { hint: 'Stop it with Ctrl-C or SIGTERM, or choose another --data-dir.' },
      )
    }
    rmSync(lock_file, { force: true })
  }
  throw new OperatorError('data_dir_taken', `Another start is taking the lock ${lock_file}.`, {
    hint: 'Try again.',
    retryable: true,
  })
}

function readHolder(file: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Holder
  } catch {
    return undefined
  }
}

/** Children stop by themselves when their parent dies; this kills those that take too long. */
async function endOrphans(children_file: string): Promise<void> {
  if (!existsSync(children_file)) return
  let orphans: ProcessIdentity[]
  try {
    orphans = (JSON.parse(readFileSync(children_file, 'utf8')) as ProcessIdentity[]).filter(
      isRunning,
    )
  } catch {
    orphans = []
  }
  for (const { pid } of orphans) signal(pid, 'SIGTERM')
  await untilEnded(orphans, ORPHAN_GRACE_MS)
  rmSync(children_file, { force: true })
}

/** Reads the secrets and generates missing ones. */
function loadSecrets(file: string): Secrets {
  const kept = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Partial<Secrets>) : {}
  const random = (): string => randomBytes(24).toString('base64url')
  const made: Secrets = {
    postgres_password: random(),
    edge_password: random(),
    gateway_secret: random(),
    clusters_secret: random(),
    access_key_id: `local-${randomBytes(6).toString('hex')}`,
    secret_access_key: random(),
    token_secret: randomBytes(32).toString('base64url'),
    console_token: randomBytes(32).toString('base64url'),
    metrics_token: randomBytes(32).toString('base64url'),
  }
  const secrets = { ...made, ...kept }
  // A folder of an older version lacks the newest secrets.
  if (Object.keys(made).some((name) => !(name in kept))) writePrivate(file, secrets)
  return secrets
}

/** Writes atomically, readable only by the owner. */
function writePrivate(file: string, value: unknown): void {
  const temporary = `${file}.${process.pid}.tmp`
  writeFileSync(temporary, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 })
  renameSync(temporary, file)
}
