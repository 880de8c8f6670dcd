/**
 * Restores a backup into an empty database, and then hours of the lake. Until the state is in place
 * nothing is there; after that, a restore that was interrupted goes on where it was.
 */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describeError, OperatorError } from '#core/errors.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import { inTransaction, type Pool } from '#core/node/pool.ts'
import { requireSession } from '#core/node/session-check.ts'
import { hourStart, HOUR_US, type Micros, micros } from '#core/time.ts'
import { hourWindow } from '../archive/records.ts'
import { ARCHIVE_JOB } from '../archive/run-archive.ts'
import {
  type BackupPart,
  completeBackups,
  type Manifest,
  readManifest,
} from '../backup/manifest.ts'
import { type BackupKeys, openKeys } from '../backup/secret.ts'
import { withLock } from '../runs/run.ts'
import { inspectTarget } from './emptiness.ts'
import { loadLakeHour, selectLakeHours } from './lake-hours.ts'
import { selectSymbolIds } from './load-hour.ts'
import { type HourRange, loadState, requireMigrations } from './load-state.ts'
import { noteNightlyRuns } from './nightly-runs.ts'

export interface RestoreOptions {
  readonly pool: Pool
  readonly store: ObjectStore
  /** Holds files while they are read. */
  readonly work_dir: string
  /** Undefined: the backup is not encrypted. */
  readonly secret: Buffer | undefined
  /** Undefined: the newest. */
  readonly backup_id: string | undefined
  /** Hours to load from the lake, besides those that the recorder needs. */
  readonly range: { readonly from: Micros; readonly to: Micros } | undefined
  readonly onProgress: (sentence: string) => void
  readonly signal: AbortSignal
}

export interface RestoreResult {
  readonly backup_id: string
  readonly kind: Manifest['kind']
  readonly taken_at: string
  readonly hour_count: number
}

const LOCK = 'booktape.restore'

/**
 * Errors: `database_not_empty`, `no_backup`, `backup_too_new`, `backup_wrong_key`,
 * `backup_needs_key`, `backup_damaged`, `restore_differs`. Needs three connections of the pool.
 */
export async function runRestore(options: RestoreOptions): Promise<RestoreResult> {
  const { pool, work_dir } = options
  await requireSession(pool)
  const dir = join(work_dir, 'restore')
  await mkdir(dir, { recursive: true })
  try {
    const manifest = await restoreState(options, dir)
    const hour_count = await loadRange(options, manifest, dir)
    await pool.query('update marketdata.restores set finished_at = now() where backup_id = $1', [
      manifest.id,
    ])
    const { id: backup_id, kind, taken_at } = manifest
    return { backup_id, kind, taken_at, hour_count }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

async function restoreState(options: RestoreOptions, dir: string): Promise<Manifest> {
  const { store, onProgress } = options
  const client = await options.pool.connect()
  try {
    await client.query('begin')
    // Loading may take long, whatever the login's limits are.
    await client.query(`set local statement_timeout = 0; set local lock_timeout = 0;
      set local idle_in_transaction_session_timeout = 0`)
    await client.query('select pg_advisory_xact_lock(hashtext($1))', [LOCK])
    const target = await inspectTarget(client)
    const id = await chooseBackup(options, target.kind === 'begun' ? target.backup_id : undefined)
    const { manifest, keyOf } = await openBackup(options, id)
    if (target.kind === 'begun') {
      onProgress(`The state of ${id} is in place already; going on with the hours.`)
    } else {
      await requireMigrations(manifest)
      onProgress(`Restoring ${id}, a ${manifest.kind} backup of ${manifest.taken_at}.`)
      if (target.has_schema) await client.query('drop schema marketdata cascade')
      await loadState(client, { store, manifest, keyOf, dir, onProgress }, rangeOf(options))
    }
    await client.query('commit')
    client.release()
    return manifest
  } catch (error) {
    // The server rolls back. An unfinished COPY cannot be ended cleanly.
    client.release(true)
    throw error
  }
}

async function chooseBackup(
  { store, backup_id }: RestoreOptions,
  begun: string | undefined,
): Promise<string> {
  if (begun !== undefined && backup_id !== undefined && begun !== backup_id) {
    throw new OperatorError('restore_begun', `The restore of ${begun} has not finished.`, {
      hint: `Go on with it (--backup ${begun}), or use a new database.`,
    })
  }
  const id = begun ?? backup_id ?? (await completeBackups(store)).at(-1)
  if (id !== undefined) return id
  throw new OperatorError('no_backup', 'The bucket has no backup.', {
    hint: 'Check S3_BUCKET and S3_ENDPOINT. `npx booktape backup` makes one.',
  })
}

interface OpenBackup {
  readonly manifest: Manifest
  readonly keyOf: (part: BackupPart) => Buffer | undefined
}

/** With the keys of this backup, and of others that it names. */
async function openBackup({ store, secret }: RestoreOptions, id: string): Promise<OpenBackup> {
  const keys = new Map<string, BackupKeys | undefined>()
  const open = async (one: string): Promise<Manifest> => {
    const stored = await readManifest(store, one)
    const { encryption } = stored.manifest
    const own = encryption === null ? undefined : openKeys(secret, encryption)
    if (own !== undefined) stored.verify(own)
    keys.set(one, own)
    return stored.manifest
  }
  const manifest = await open(id)
  for (const other of new Set(manifest.parts.map(({ backup_id }) => backup_id))) {
    if (other !== id) await open(other)
  }
  return { manifest, keyOf: (part) => keys.get(part.backup_id)?.keyOf(part.object_key) }
}

function rangeOf({ range }: RestoreOptions): HourRange | undefined {
  if (range === undefined) return undefined
  const { from, to } = range
  return { from: hourStart(from), to: micros(Math.ceil(to / HOUR_US) * HOUR_US) }
}

/** Each hour in its own transaction. Hours that are there already are left out. */
async function loadRange(
  options: RestoreOptions,
  manifest: Manifest,
  dir: string,
): Promise<number> {
  const { pool, store, onProgress, signal } = options
  await noteNightlyRuns(pool, store, micros(Date.parse(manifest.taken_at) * 1_000))
  const range = rangeOf(options) ?? (await storedRange(pool, manifest.id))
  if (range === undefined) return 0
  const hours = await selectLakeHours(pool, range)
  for (const [index, table_hour] of hours.entries()) {
    signal.throwIfAborted()
    const window = hourWindow(table_hour)
    const { kind } = await withLock(pool, ARCHIVE_JOB, window, () =>
      inTransaction(pool, async (client) => {
        await client.query('set local statement_timeout = 0')
        const symbol_ids = await selectSymbolIds(client)
        const path = join(dir, 'file')
        const row_count = await loadLakeHour(client, store, table_hour, symbol_ids, path)
        onProgress(`${index + 1} of ${hours.length}: ${window}, ${row_count} rows.`)
      }),
    ).catch((error: unknown) => {
      throw new OperatorError('restore_interrupted', `${window}: ${describeError(error)}`, {
        hint: 'Run the same command again: it goes on with this hour.',
        retryable: true,
        cause: error,
      })
    })
    if (kind === 'taken') onProgress(`${window} is being archived; it was left out.`)
  }
  return hours.length
}

/** The range that an interrupted restore was given. */
async function storedRange(pool: Pool, backup_id: string): Promise<HourRange | undefined> {
  const { rows } = await pool.query<{ from: number | null; to: number | null }>(
    `select (extract(epoch from from_hour) * 1000000)::float8 as from,
       (extract(epoch from to_hour) * 1000000)::float8 as to
     from marketdata.restores where backup_id = $1`,
    [backup_id],
  )
  const { from, to } = rows[0]!
  return from === null || to === null ? undefined : { from: micros(from), to: micros(to) }
}
