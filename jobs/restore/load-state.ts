/**
 * The part of a restore that is all or nothing: in one transaction the schema of the backup, its
 * tables, the rows that the lake lacks, what the lake has got since, and the newest hours of the
 * lake, from which rollups and books go on. Then the migrations that came after the backup.
 */
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { OperatorError } from '#core/errors.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import { knownMigrations, migrateWithin } from '#core/node/migrate.ts'
import type { Client } from '#core/node/pool.ts'
import { HOUR_US, type Micros, micros, toIso } from '#core/time.ts'
import { hourWindow } from '../archive/records.ts'
import { copyHourOut, selectSymbolNames, sumRows } from '../backup/lake-rows.ts'
import type { BackupPart, Manifest } from '../backup/manifest.ts'
import { readPart } from '../backup/part-file.ts'
import { hourOf } from '../backup/part-hour.ts'
import { copyTableIn, fixFormats, sumTable } from '../backup/state-tables.ts'
import { tablesOf } from '../backup/tables.ts'
import { adoptLake } from './adopt-lake.ts'
import { selectLakeHours, loadLakeHour } from './lake-hours.ts'
import { forgetLaterFacts } from './later-facts.ts'
import { loadFromPart, selectSymbolIds } from './load-hour.ts'
import { rewindTapes } from './rewind-tapes.ts'

export interface StateOptions {
  readonly store: ObjectStore
  readonly manifest: Manifest
  /** Undefined for a part that is not encrypted. */
  readonly keyOf: (part: BackupPart) => Buffer | undefined
  /** A folder for files that are being read. */
  readonly dir: string
  readonly onProgress: (sentence: string) => void
}

/** The table that says what was restored. An older backup does not have it. */
const RESTORES_MIGRATION = '0104_restores.sql'

export interface HourRange {
  readonly from: Micros
  readonly to: Micros
}

export async function loadState(
  client: Client,
  options: StateOptions,
  range: HourRange | undefined,
): Promise<void> {
  const { store, manifest, dir, onProgress } = options
  const names = manifest.migrations.map(({ name }) => name)
  await migrateWithin(client, [...new Set([...names, RESTORES_MIGRATION])])
  await fixFormats(client)
  for (const part of inOrder(manifest.parts)) await loadTable(client, options, part)
  await raiseIdentities(client)
  const adopted = await adoptLake(client, store, join(dir, 'file'))
  if (adopted.length > 0) {
    onProgress(`${adopted.length} hours were archived after the backup; the lake has them.`)
  }
  // Such a file has every row that the backup has of its hour.
  const are_newer = new Set(adopted.map(({ table_name, hour }) => `${table_name} ${hour}`))
  const dumped = manifest.parts.filter(
    ({ table_name, hour }) => hour !== null && !are_newer.has(`${table_name} ${hour}`),
  )
  await markDropped(client, dumped)
  for (const part of dumped) await loadRows(client, options, part)
  const needed = await neededFrom(client, dumped)
  if (needed !== undefined) {
    const symbol_ids = await selectSymbolIds(client)
    for (const table_hour of await selectLakeHours(client, { from: needed, to: FAR })) {
      onProgress(`${hourWindow(table_hour)}: from the lake.`)
      await loadLakeHour(client, store, table_hour, symbol_ids, join(dir, 'file'))
    }
    await invalidateUnderived(client, needed)
  }
  await closeRuns(client, manifest)
  if (manifest.kind === 'state') await rewindTapes(client)
  await client.query(
    `insert into marketdata.restores (backup_id, kind, taken_at, from_hour, to_hour)
     values ($1, $2, $3, $4, $5)`,
    [
      manifest.id,
      manifest.kind,
      manifest.taken_at,
      range === undefined ? null : toIso(range.from),
      range === undefined ? null : toIso(range.to),
    ],
  )
  await migrateWithin(client)
  const forgotten = await forgetLaterFacts(client, manifest)
  if (forgotten > 0) {
    onProgress(
      `${forgotten} files of klines, open interest, funding or book depth were imported after the ` +
        'full backup: import them again.',
    )
  }
}

/** Beyond every hour. */
const FAR = micros(Date.parse('2200-01-01T00:00:00Z') * 1_000)

/** Tables outside the lake, those first that others refer to. */
function inOrder(parts: readonly BackupPart[]): readonly BackupPart[] {
  return [...tablesOf('state'), ...tablesOf('history')].flatMap((name) =>
    parts.filter(({ table_name }) => table_name === name),
  )
}

async function loadTable(client: Client, options: StateOptions, part: BackupPart): Promise<void> {
  const { table_name, columns } = part
  // Rows that the migrations made: the backup has them as they became.
  await client.query(`delete from marketdata.${table_name}`)
  const rows = readPart(options.store, part, options.keyOf(part))
  await copyTableIn(client, table_name, columns, rows)
  const found = await sumTable(client, table_name, columns)
  const { row_count, checksums } = part
  if (!isDeepStrictEqual(found, { row_count, checksums })) {
    throw differs(`marketdata.${table_name}`, found.row_count, row_count)
  }
  options.onProgress(`${table_name}: ${row_count} rows.`)
}

async function loadRows(client: Client, options: StateOptions, part: BackupPart): Promise<void> {
  const table_hour = hourOf(part)!
  const row_count = await loadFromPart(
    client,
    table_hour,
    readPart(options.store, part, options.keyOf(part)),
  )
  const names = await selectSymbolNames(client)
  const sums = await sumRows(table_hour, copyHourOut(client, table_hour), names)
  if (!isDeepStrictEqual(sums.toChecksums(), part.checksums)) {
    throw differs(hourWindow(table_hour), row_count, part.row_count)
  }
  options.onProgress(`${hourWindow(table_hour)}: ${row_count} rows from the backup.`)
}

function differs(what: string, found: number, expected: number): OperatorError {
  return new OperatorError(
    'restore_differs',
    `${what} was read back with other values: it has ${found} rows, expected ${expected}.`,
    { hint: 'Nothing was restored. Try another backup: `npx booktape backup ls`.' },
  )
}

/** Rows that come now get larger ids than those of the backup. */
async function raiseIdentities(client: Client): Promise<void> {
  const { rows } = await client.query<{ name: string; column: string }>(
    `select c.relname as name, a.attname as column
     from pg_attribute a join pg_class c on c.oid = a.attrelid
     where c.relnamespace = 'marketdata'::regnamespace and c.relkind = 'r' and attidentity <> ''`,
  )
  for (const { name, column } of rows) {
    await client.query(
      `select setval(pg_get_serial_sequence($1, $2), max(${column}))
       from marketdata.${name} having max(${column}) is not null`,
      [`marketdata.${name}`, column],
    )
  }
  // Transaction ids of the old server mean nothing here.
  await client.query('update marketdata.invalidations set logged_xid = pg_current_xact_id()')
}

/** Postgres has none of the archived hours now, except those that the backup has rows of. */
async function markDropped(client: Client, dumped: readonly BackupPart[]): Promise<void> {
  await client.query(
    `update marketdata.archive a
     set dropped_at = coalesce(dropped_at, now()), table_row_count = 0
     where not exists (
       select from unnest($1::text[], $2::timestamptz[]) as d (table_name, hour)
       where d.table_name = a.table_name and d.hour = a.hour
     )`,
    [dumped.map(({ table_name }) => table_name), dumped.map(({ hour }) => hour)],
  )
}

/**
 * The hour before the oldest one that is not archived: rollups and books go on from its rows. Older
 * if the lake has rows of an hour, but not yet what is derived from them. Undefined without an
 * archive.
 */
async function neededFrom(
  client: Client,
  dumped: readonly BackupPart[],
): Promise<Micros | undefined> {
  const { rows } = await client.query<{ newest: number | null; underived: number | null }>(
    `select (extract(epoch from max(hour)) * 1000000)::float8 as newest,
       (select (extract(epoch from min(hour)) * 1000000)::float8 from (${UNDERIVED}) u) as underived
     from marketdata.archive`,
  )
  const { newest, underived } = rows[0]!
  if (newest === null) return undefined
  const dumped_hours = dumped.map((part) => Number(hourOf(part)!.hour))
  const open = Math.min(newest + HOUR_US, ...dumped_hours, underived ?? Infinity)
  return micros(open - HOUR_US)
}

/** Archived hours near the watermark whose seconds are neither archived nor in Postgres. */
const UNDERIVED = `
  select distinct a.table_name, a.hour, s.rollup
  from marketdata.archive a
  join (values ('book_ticker', 'bt_1s'), ('trades', 'trade_1s'), ('depth_events', 'depth_1s'))
    as s (source, rollup) on s.source = a.table_name
  join marketdata.rollup_watermarks w on w.rollup = s.rollup
  where a.hour >= w.watermark - interval '3 hours' and not exists (
    select from marketdata.archive d
    where d.exchange = a.exchange and d.table_name = s.rollup and d.hour = a.hour
  )`

/** Their seconds are computed again, as if their rows had come late. */
async function invalidateUnderived(client: Client, from: Micros): Promise<void> {
  const { rows } = await client.query<{ table_name: string; from_ts: Date; to_ts: Date }>(
    `select distinct table_name, hour as from_ts, hour + interval '1 hour' as to_ts
     from (${UNDERIVED}) u where hour >= $1`,
    [toIso(from)],
  )
  for (const { table_name, from_ts, to_ts } of rows) {
    await client.query(
      `insert into marketdata.invalidations (consumer, table_name, symbol_id, lowest, greatest)
       select c.consumer, $1, t.symbol_id, min(t.ts_exchange), max(t.ts_exchange)
       from marketdata.${table_name} t
       cross join (
         select unnest(consumers) as consumer from marketdata.invalidation_thresholds
         where table_name = $1
       ) c
       where t.ts_exchange >= '${from_ts.toISOString()}' and t.ts_exchange < '${to_ts.toISOString()}'
         and c.consumer in ('rollups', 'orderbook_topn')
       group by c.consumer, t.symbol_id`,
      [table_name],
    )
  }
}

async function closeRuns(client: Client, { taken_at }: Manifest): Promise<void> {
  await client.query(
    `update marketdata.job_runs
     set status = 'failed', finished_at = $1,
       error = 'The database was restored from a backup that was made during the run.'
     where status = 'running'`,
    [taken_at],
  )
}

/** Throws if this build cannot make the schema that the backup is from. */
export async function requireMigrations({ id, migrations }: Manifest): Promise<void> {
  const known = await knownMigrations()
  for (const { name, sha256 } of migrations) {
    const ours = known.get(name)
    if (ours === sha256) continue
    if (ours === undefined) {
      throw new OperatorError(
        'backup_too_new',
        `The backup ${id} was made by a newer build: this one lacks the migration ${name}.`,
        { hint: 'Restore it with the build that made it, or with a newer one.' },
      )
    }
    throw new OperatorError(
      'migration_changed',
      `The migration ${name} has changed since the backup ${id} was made.`,
      { hint: 'Restore the file from git.' },
    )
  }
}
