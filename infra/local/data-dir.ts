/**
 * The folder of one local stack: who holds it, its secrets, what runs out of it. Layout:
 *
 *   stack.lock    the supervisor that holds the folder, and what launched it (pids, start times)
 *   children.json the processes it started, so that the next start can end orphans
 *   secrets.json  passwords made at the first start (0600)
 *   stack.json    where everything listens, with keys (0600)
 *   revoked-tokens  ids of tokens that were taken back
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
import { setTimeout as sleep } from 'node:timers/promises'
import { OperatorError } from '#core/errors.ts'
import type { ObjectStoreConfig } from '#core/node/object-store.ts'
import { identify, isRunning, type ProcessIdentity } from '#core/node/process-table.ts'

export interface Secrets {
  readonly postgres_password: string
  readonly edge_password: string
  readonly gateway_secret: string
  readonly access_key_id: string
  readonly secret_access_key: string
  /** Signs access tokens of the edge. */
  readonly token_secret: string
}

/** DATA_DIR/stack.json. */
export interface StackFile {
  readonly postgres_url: string
  readonly edge_url: string
  readonly gateway_url: string
  /** Null where nothing is simulated (--feed none) and the exchange's own where it is real. */
  readonly exchange_url: string | null
  readonly object_store: ObjectStoreConfig
  /** Settings of the jobs daemon that a job which is run by hand shares. */
  readonly jobs_settings: Readonly<Record<string, string>>
}

export interface DataDir {
  readonly path: string
  readonly secrets: Secrets
  /** A path inside the folder. */
  join(...parts: string[]): string
  writeStackFile(stack: StackFile): void
  /** Remembers the processes that must not outlive the supervisor. */
  writeChildren(children: readonly ProcessIdentity[]): void
  /** Gives the folder back. */
  release(): void
}

const ORPHAN_GRACE_MS = 15_000
/** A supervisor whose launcher was killed stops by itself, and may have much to commit. */
const STOPPING_GRACE_MS = 60_000

interface Holder extends ProcessIdentity {
  readonly launcher?: ProcessIdentity
}

/**
 * Takes the folder for this process, makes it where it does not exist, and ends what a killed
 * supervisor left running. Throws where another stack holds it; one whose launcher was killed is
 * stopping, and waited for.
 */
export async function openDataDir(dir: string, launcher?: ProcessIdentity): Promise<DataDir> {
  const path = resolve(dir)
  try {
    // Postgres may have to run as another user: the folder is open to pass through, its secrets are not.
    mkdirSync(path, { recursive: true, mode: 0o755 })
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (cause) {
    throw new OperatorError('data_dir_unusable', `The data directory ${dir} cannot be used: ${String(cause)}.`, {
      hint: 'Choose another --data-dir, or one that you may write.',
      cause,
    })
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
      hint: 'Start one with `npm start`, or name its folder with --data-dir.',
    })
  }
  return JSON.parse(readFileSync(join(dir, 'stack.json'), 'utf8')) as StackFile
}

/** Reads DATA_DIR/secrets.json, whether a stack runs or not. */
export function readSecrets(dir: string): Secrets {
  const file = join(dir, 'secrets.json')
  const secrets = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Partial<Secrets>) : {}
  if (secrets.token_secret !== undefined) return secrets as Secrets
  throw new OperatorError('no_secrets', `${resolve(dir)} has no secret to sign tokens with.`, {
    hint: '`npm start` makes it. --data-dir names another folder, TOKEN_SECRET another secret.',
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
  throw new OperatorError('data_dir_taken', `The lock ${lock_file} is being taken by another start.`, {
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

/** Children see their parent die and stop by themselves; what has not after a while is killed. */
async function endOrphans(children_file: string): Promise<void> {
  if (!existsSync(children_file)) return
  let orphans: ProcessIdentity[]
  try {
    orphans = (JSON.parse(readFileSync(children_file, 'utf8')) as ProcessIdentity[]).filter(isRunning)
  } catch {
    orphans = []
  }
  for (const { pid } of orphans) signal(pid, 'SIGTERM')
  await untilEnded(orphans, ORPHAN_GRACE_MS)
  rmSync(children_file, { force: true })
}

/** Waits for their own end; what takes longer is killed. */
async function untilEnded(processes: readonly ProcessIdentity[], grace_ms: number): Promise<void> {
  const deadline = performance.now() + grace_ms
  while (processes.some(isRunning) && performance.now() < deadline) await sleep(50)
  for (const identity of processes) if (isRunning(identity)) signal(identity.pid, 'SIGKILL')
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It ended in between.
  }
}

/** Makes those that are missing. */
function loadSecrets(file: string): Secrets {
  const kept = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Partial<Secrets>) : {}
  const random = (): string => randomBytes(24).toString('base64url')
  const made: Secrets = {
    postgres_password: random(),
    edge_password: random(),
    gateway_secret: random(),
    access_key_id: `local-${randomBytes(6).toString('hex')}`,
    secret_access_key: random(),
    token_secret: randomBytes(32).toString('base64url'),
  }
  const secrets = { ...made, ...kept }
  // A folder of an older version has all but the newest.
  if (Object.keys(made).some((name) => !(name in kept))) writePrivate(file, secrets)
  return secrets
}

/** Whole or not at all, readable by the owner only. */
function writePrivate(file: string, value: unknown): void {
  const temporary = `${file}.${process.pid}.tmp`
  writeFileSync(temporary, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 })
  renameSync(temporary, file)
}
