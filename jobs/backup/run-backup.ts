/**
 * The job `backup`: what the lake lacks, from one snapshot, into the bucket. Every object is read
 * back and compared before the manifest names it. Then backups that need not be kept are deleted.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { OperatorError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import { type Pool, withClient } from '#core/node/pool.ts'
import { micros, toIso } from '#core/time.ts'
import { runJob, type RunLog, type RunResult } from '../runs/run.ts'
import { selectExpired } from './expired.ts'
import { selectSymbolNames, type SymbolNames, sumRows } from './lake-rows.ts'
import {
  BACKUP_FORMAT,
  type BackupKind,
  type BackupPart,
  completeBackups,
  listBackups,
  type Manifest,
  readManifest,
  writeManifest,
} from './manifest.ts'
import { readPart } from './part-file.ts'
import { hourOf } from './part-hour.ts'
import { type BackupKeys, newKeys } from './secret.ts'
import { type BackupSettings, secretOf } from './settings.ts'
import { type DumpedPart, dumpSnapshot } from './snapshot.ts'
import { tablesOf } from './tables.ts'

export const BACKUP_JOB = 'backup'

export interface BackupOptions {
  readonly pool: Pool
  readonly store: ObjectStore
  readonly settings: BackupSettings
  /** Holds the parts during the run and is emptied afterwards. */
  readonly work_dir: string
  readonly kind: BackupKind
  readonly log: Logger
  readonly now: () => number
  readonly signal: AbortSignal
}

export interface BackupResult extends RunResult {
  readonly id: string
  readonly part_count: number
  /** Backups that were deleted. */
  readonly expired: readonly string[]
}

const CONTENT_TYPE = 'application/octet-stream'
const KEEP_RUNS_S = 30 * 86_400

/** Needs three connections of the pool. Errors: `run_in_progress`, `backup_differs`. */
export function runBackup(options: BackupOptions): Promise<BackupResult> {
  const { pool, log, now } = options
  const run = { job: BACKUP_JOB, job_window: 'newest', attempt: 1, keep_s: KEEP_RUNS_S, now, log }
  return runJob(pool, run, (run_log) => makeBackup(options, run_log))
}

async function makeBackup(options: BackupOptions, log: RunLog): Promise<BackupResult> {
  const { pool, store, settings, kind, now, signal } = options
  const dir = join(options.work_dir, 'backup')
  // The run holds the lock, so it owns this folder. A killed run may have left files in it.
  await rm(dir, { recursive: true, force: true })
  await mkdir(dir, { recursive: true })
  try {
    const secret = secretOf(settings)
    const keys = secret === undefined ? undefined : newKeys(secret)
    const id = newId(now())
    const snapshot = await dumpSnapshot({ pool, id, kind, keys, dir, signal })
    const names = await withClient(pool, selectSymbolNames)
    for (const dumped of snapshot.parts) {
      signal.throwIfAborted()
      await upload(store, dumped, keys, names)
    }
    const dumped_parts = snapshot.parts.map(({ part }) => part)
    const manifest: Manifest = {
      format: BACKUP_FORMAT,
      id,
      kind,
      taken_at: toIso(snapshot.taken_at),
      migrations: snapshot.migrations,
      encryption: keys?.encryption ?? null,
      parts: [
        ...dumped_parts,
        ...(kind === 'full' ? [] : await olderHistory(store, snapshot.migrations)),
      ],
    }
    await writeManifest(store, manifest, keys)
    const row_count = dumped_parts.reduce((sum, part) => sum + part.row_count, 0)
    const byte_count = dumped_parts.reduce((sum, part) => sum + part.byte_count, 0)
    log.info({ id, kind, part_count: manifest.parts.length, row_count, byte_count }, 'Backed up.')
    const expired = await deleteExpired(store, settings.keep_count, now())
    if (expired.length > 0) log.info({ expired }, 'Deleted old backups.')
    return { id, part_count: manifest.parts.length, row_count, byte_count, expired }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

function newId(now_ms: number): string {
  const time = toIso(micros(now_ms * 1_000))
    .slice(0, 19)
    .replaceAll(/[-:]/g, '')
  return `${time}Z-${randomBytes(4).toString('hex')}`
}

/** Uploads a part, reads it back and deletes the local file. */
async function upload(
  store: ObjectStore,
  { part, path }: DumpedPart,
  keys: BackupKeys | undefined,
  names: SymbolNames,
): Promise<void> {
  await store.putFile(part.object_key, path, CONTENT_TYPE)
  await rm(path)
  await verifyPart(store, part, keys, names)
}

/** Reads a part to its end. Throws `backup_damaged` or `backup_differs`. */
async function verifyPart(
  store: ObjectStore,
  part: BackupPart,
  keys: BackupKeys | undefined,
  names: SymbolNames,
): Promise<void> {
  const stream = readPart(store, part, keys?.keyOf(part.object_key))
  const table_hour = hourOf(part)
  let row_count = 0
  if (table_hour === undefined) {
    for await (const chunk of stream as AsyncIterable<Buffer>) row_count += countLines(chunk)
  } else {
    const sums = await sumRows(table_hour, stream, names)
    row_count = sums.row_count
    const found = sums.toChecksums()
    const wrong = Object.keys(found).filter((name) => found[name] !== part.checksums[name])
    if (wrong.length > 0) throw differs(part, `it has other values in ${wrong.join(', ')}`)
  }
  if (row_count === part.row_count) return
  throw differs(part, `it has ${row_count} rows instead of ${part.row_count}`)
}

/** In COPY's text format a row is a line, and a line end in a value is escaped. */
function countLines(chunk: Buffer): number {
  let count = 0
  for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) count++
  return count
}

function differs({ object_key }: BackupPart, found: string): OperatorError {
  return new OperatorError('backup_differs', `${object_key} was read back, but ${found}.`, {
    hint: 'Check the object store and the disk, then run the backup again.',
    retryable: true,
  })
}

/** A state backup names the history of the newest full one that its schema can hold. */
async function olderHistory(
  store: ObjectStore,
  migrations: Manifest['migrations'],
): Promise<readonly BackupPart[]> {
  const history = tablesOf('history')
  const applied = new Set(migrations.map(({ name }) => name))
  for (const id of (await completeBackups(store)).toReversed()) {
    const { manifest } = await readManifest(store, id)
    const is_older = manifest.migrations.every(({ name }) => applied.has(name))
    if (manifest.kind !== 'full' || !is_older) continue
    return manifest.parts.filter(({ table_name }) => history.includes(table_name))
  }
  return []
}

/** What a killed run left has no manifest; it is deleted after a day. */
const LEFTOVER_MS = 86_400_000

async function deleteExpired(
  store: ObjectStore,
  keep_count: number,
  now_ms: number,
): Promise<readonly string[]> {
  const objects = await listBackups(store)
  const complete = await completeBackups(store)
  const manifests = await Promise.all(
    complete.map(async (id) => (await readManifest(store, id)).manifest),
  )
  const before = newId(now_ms - LEFTOVER_MS)
  const leftovers = [...objects.keys()].filter((id) => !complete.includes(id) && id < before)
  // A run by hand may be asked to keep none; its own backup stays.
  const expired = [...selectExpired(manifests, Math.max(1, keep_count)), ...leftovers]
  for (const id of expired) {
    // The manifest first: what is left of a backup is no backup.
    const keys = objects.get(id)!.toSorted((key) => (key.endsWith('/manifest.json') ? -1 : 1))
    for (const key of keys) await store.delete(key)
  }
  return expired
}
