/**
 * Dumps everything that the lake lacks into local files, from one snapshot of the database: what
 * the parts say of each other holds.
 */
import { join } from 'node:path'
import { streamGivingLocksBack } from '#core/node/hour-spans.ts'
import type { Client, Pool } from '#core/node/pool.ts'
import { backupPrefix } from '#core/object-keys.ts'
import { fromMillis, type Micros, toIso } from '#core/time.ts'
import { ARCHIVED_TABLES } from '#core/archived-tables.ts'
import { selectUnarchivedHours } from '../archive/due-hours.ts'
import type { TableHour } from '../archive/records.ts'
import {
  copyHourOut,
  createSums,
  selectSymbolNames,
  summed,
  type SymbolNames,
} from './lake-rows.ts'
import type { BackupKind, BackupPart, Manifest } from './manifest.ts'
import { writePartFile } from './part-file.ts'
import type { BackupKeys } from './secret.ts'
import { columnsOf, copyTableOut, fixFormats, sumTable } from './state-tables.ts'
import { tablesOf } from './tables.ts'

export interface SnapshotOptions {
  readonly pool: Pool
  readonly id: string
  readonly kind: BackupKind
  readonly keys: BackupKeys | undefined
  /** An empty folder. */
  readonly dir: string
  readonly signal: AbortSignal
}

export interface DumpedPart {
  readonly part: BackupPart
  readonly path: string
}

export interface Snapshot {
  readonly taken_at: Micros
  readonly migrations: Manifest['migrations']
  readonly parts: readonly DumpedPart[]
}

/** A COPY that takes longer has run into a fault. */
const STATEMENT_LIMIT = '30min'
/** While a part is being compressed, the transaction waits for it. */
const IDLE_LIMIT = '5min'

export async function dumpSnapshot(options: SnapshotOptions): Promise<Snapshot> {
  const client = await options.pool.connect()
  try {
    await client.query('begin isolation level repeatable read read only')
    await client.query(`set local statement_timeout = '${STATEMENT_LIMIT}'`)
    await client.query(`set local idle_in_transaction_session_timeout = '${IDLE_LIMIT}'`)
    await fixFormats(client)
    const snapshot = await dump(client, options)
    await client.query('commit')
    client.release()
    return snapshot
  } catch (error) {
    // A COPY that was not read to its end cannot be ended cleanly, so its connection is closed.
    client.release(true)
    throw error
  }
}

async function dump(client: Client, options: SnapshotOptions): Promise<Snapshot> {
  const { rows } = await client.query<{ now_ms: number }>(
    'select extract(epoch from now())::float8 * 1000 as now_ms',
  )
  const { rows: migrations } = await client.query<{ name: string; sha256: string }>(
    'select name, sha256 from marketdata.schema_migrations order by name',
  )
  const parts: DumpedPart[] = []
  const is_full = options.kind === 'full'
  const { rows: present } = await client.query<{ name: string }>(
    "select relname as name from pg_class where relnamespace = 'marketdata'::regnamespace",
  )
  const names_present = new Set(present.map(({ name }) => name))
  const tables = [...tablesOf('state'), ...(is_full ? tablesOf('history') : [])]
  for (const table_name of tables) {
    // A schema of an older build, before its migration, has no table of later ones.
    if (!names_present.has(table_name)) continue
    options.signal.throwIfAborted()
    parts.push(await dumpTable(client, options, table_name))
  }
  if (is_full) {
    const names = await selectSymbolNames(client)
    for (const table_hour of await selectUnarchivedHours(client)) {
      options.signal.throwIfAborted()
      parts.push(await dumpHour(client, options, table_hour, names))
    }
  }
  return { taken_at: fromMillis(Math.floor(rows[0]!.now_ms)), migrations, parts }
}

async function dumpTable(
  client: Client,
  options: SnapshotOptions,
  table_name: string,
): Promise<DumpedPart> {
  const columns = await columnsOf(client, table_name)
  const sums = await sumTable(client, table_name, columns)
  const rows = copyTableOut(client, table_name, columns)
  const file = await writeFileOf(options, table_name, rows)
  return { path: file.path, part: { table_name, hour: null, columns, ...sums, ...file.stored } }
}

async function dumpHour(
  client: Client,
  options: SnapshotOptions,
  table_hour: TableHour,
  names: SymbolNames,
): Promise<DumpedPart> {
  const { table_name } = table_hour
  const hour = toIso(table_hour.hour)
  const sums = createSums(table_hour)
  const rows = streamGivingLocksBack(client, () =>
    summed(table_hour, copyHourOut(client, table_hour), names, sums),
  )
  const file = await writeFileOf(options, `${table_name}-${hour.slice(0, 13)}`, rows)
  const columns = ARCHIVED_TABLES[table_name].columns.map(({ name }) => name)
  const { row_count } = sums
  const checksums = sums.toChecksums()
  const { path, stored } = file
  return { path, part: { table_name, hour, columns, row_count, checksums, ...stored } }
}

async function writeFileOf(
  { id, keys, dir }: SnapshotOptions,
  name: string,
  rows: AsyncIterable<Buffer>,
): Promise<{
  readonly path: string
  readonly stored: Pick<BackupPart, 'backup_id' | 'object_key' | 'byte_count' | 'sha256'>
}> {
  const suffix = keys === undefined ? 'copy.zst' : 'copy.zst.sealed'
  const object_key = `${backupPrefix(id)}${name}.${suffix}`
  const path = join(dir, `${name}.${suffix}`)
  const { bytes, sha256 } = await writePartFile(path, rows, keys?.keyOf(object_key))
  return { path, stored: { backup_id: id, object_key, byte_count: bytes, sha256 } }
}
