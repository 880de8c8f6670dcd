/**
 * Archives one hour of one table: gathers the rows, writes a file per exchange, uploads it, reads
 * it back and compares. Only then does it add the row in marketdata.archive.
 *
 * Invariants
 * 1. A row of marketdata.archive means that its file was read back from the store. The file's row
 *    count and checksums match those of the table's rows together with the previous version.
 * 2. An archived raw row stays: a new version holds all rows of the previous one. So late rows
 *    alone are enough to make a version after the partition has been dropped. An import that
 *    replaces rows brings the hour back first, and marks the version as revised. Rows of rollups
 *    and of orderbook_topn may be replaced. While Postgres has the whole hour, a version holds what
 *    Postgres has. After the drop, recomputed rows win over those of the previous version.
 * 3. The transaction that records a version deletes the log entries of the late rows in it. Rows
 *    that arrive after its read are still logged.
 * 4. The same rows give the same bytes, so a run that was killed is simply run again.
 */
import { mkdir, rm } from 'node:fs/promises'
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { ARCHIVED_TABLES, type ArchivedTable, isDerived } from '#core/archived-tables.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import { inTransaction, type Pool } from '#core/node/pool.ts'
import { archiveKey } from '#core/object-keys.ts'
import type { Exchange } from '#core/symbols.ts'
import { dayOf, HOUR_US, type Micros, toIso } from '#core/time.ts'
import { type Checksums, ChecksumSums } from '../columns/checksum.ts'
import { dataColumns } from '../columns/columns.ts'
import { digestOf } from '../columns/digest.ts'
import type { Codec } from '../parquet/codecs.ts'
import { groupRanges } from '../parquet/row-groups.ts'
import { createTableFile, type TableFile } from '../parquet/table-file.ts'
import type { RunLog, RunResult } from '../runs/run.ts'
import { copyOut } from './copy-out.ts'
import { HourRows } from './gather.ts'
import { deleteLate, raiseThreshold } from './late-rows.ts'
import { type ArchiveRecord, insertRecord, type TableHour, updateTableRowCount } from './records.ts'
import { rereadFile } from './stored-file.ts'

export interface HourOptions {
  readonly pool: Pool
  readonly store: ObjectStore
  readonly codec: Codec
  /** Holds rows and files during the run and is emptied afterwards. */
  readonly work_dir: string
  readonly now: () => number
  readonly signal: AbortSignal
}

export interface HourResult extends RunResult {
  /** Keys of the versions that were written. */
  readonly object_keys: readonly string[]
  /** Number of exchanges whose newest version already holds every row. */
  readonly unchanged_count: number
}

const CONTENT_TYPE = 'application/vnd.apache.parquet'

/** The caller holds the hour's lock. */
export async function archiveHour(
  options: HourOptions,
  table_hour: TableHour,
  log: RunLog,
): Promise<HourResult> {
  const { pool, work_dir, now, signal } = options
  const dir = join(
    work_dir,
    `archive-${table_hour.table_name}-${toIso(table_hour.hour).slice(0, 13)}`,
  )
  // The run holds the lock, so it owns this folder. A killed run may have left files in it.
  await rm(dir, { recursive: true, force: true })
  await mkdir(dir, { recursive: true })
  const table = ARCHIVED_TABLES[table_hour.table_name]
  const rows = await HourRows.create(table, table_hour.hour, join(dir, 'rows'))
  try {
    await raiseThreshold(pool, table_hour)
    const { newest, late_ids } = await copyOut(pool, table_hour, rows, signal)
    const run: HourRun = { ...options, table_hour, dir, rows, newest, log }
    const records: ArchiveRecord[] = []
    const unchanged: ArchiveRecord[] = []
    for (const exchange of new Set([...rows.exchanges, ...replacedBy(table_hour, newest)])) {
      const known = newest.get(exchange)
      const record = isSame(rows, exchange, known) ? undefined : await writeVersion(run, exchange)
      if (record === undefined) unchanged.push(known!)
      else records.push(record)
    }
    await inTransaction(pool, async (client) => {
      for (const record of records) await insertRecord(client, record, new Date(now()))
      for (const record of unchanged) {
        const { row_count } = rows.sumsOf(record.exchange).table
        await updateTableRowCount(client, record, row_count)
      }
      await deleteLate(client, late_ids)
    })
    return {
      row_count: records.reduce((sum, record) => sum + record.row_count, 0),
      byte_count: records.reduce((sum, record) => sum + record.byte_count, 0),
      object_keys: records.map(({ object_key }) => object_key),
      unchanged_count: unchanged.length,
    }
  } finally {
    await rows.close()
    await rm(dir, { recursive: true, force: true })
  }
}

interface HourRun extends HourOptions {
  readonly table_hour: TableHour
  readonly dir: string
  readonly rows: HourRows
  readonly newest: ReadonlyMap<Exchange, ArchiveRecord>
  readonly log: RunLog
}

/**
 * Exchanges whose next version holds what Postgres has, which may be nothing: an import may remove
 * the last row of an hour, and then what is computed from it goes too.
 */
function replacedBy(
  { table_name }: TableHour,
  newest: ReadonlyMap<Exchange, ArchiveRecord>,
): readonly Exchange[] {
  return [...newest.values()]
    .filter((known) => mayReplace(table_name, known) && !known.is_dropped)
    .map(({ exchange }) => exchange)
}

function mayReplace(table_name: ArchivedTable, known: ArchiveRecord | undefined): boolean {
  return isDerived(table_name) || known?.is_revised === true
}

function isSame(rows: HourRows, exchange: Exchange, known: ArchiveRecord | undefined): boolean {
  const { table } = rows.sumsOf(exchange)
  return known?.row_count === table.row_count && areEqual(known.checksums, table.toChecksums())
}

function areEqual(left: Checksums, right: Checksums): boolean {
  return Object.keys(right).every((name) => left[name] === right[name])
}

/** Undefined if the previous version already holds every row. */
async function writeVersion(run: HourRun, exchange: Exchange): Promise<ArchiveRecord | undefined> {
  const { store, rows, dir, signal, log } = run
  const known = run.newest.get(exchange)
  const reread_path = join(dir, 'reread')
  const is_whole = mayReplace(run.table_hour.table_name, known) && known?.is_dropped === false
  if (known !== undefined && !is_whole) {
    await rereadFile(store, known, reread_path, (symbol, of_file) =>
      rows.addFileRows({ exchange, symbol }, of_file),
    )
  }
  const path = join(dir, `${exchange}.parquet`)
  const file = await createTableFile({
    path,
    table: ARCHIVED_TABLES[run.table_hour.table_name],
    codec: run.codec,
    exchange,
    facts: { exchange, table: run.table_hour.table_name, hour: toIso(run.table_hour.hour) },
  })
  let written: Written
  try {
    written = await writeRows(run, exchange, file)
  } finally {
    await file.close()
  }
  signal.throwIfAborted()
  if (known?.row_count === written.row_count && areEqual(known.checksums, written.checksums)) {
    return undefined
  }
  const record = await describe(run, exchange, path, written)
  const { object_key, row_count, byte_count, version } = record
  await store.putFile(object_key, path, CONTENT_TYPE)
  try {
    await rereadFile(store, record, reread_path)
  } catch (error) {
    // No record names it. If the delete fails too, the next run overwrites it.
    await store.delete(object_key).catch(() => undefined)
    throw error
  }
  log.info({ object_key, version, row_count, byte_count }, 'Archived.')
  return record
}

interface Written {
  readonly row_count: number
  readonly checksums: Checksums
  readonly min_ts_exchange: Micros
  readonly max_ts_exchange: Micros
}

async function writeRows(run: HourRun, exchange: Exchange, file: TableFile): Promise<Written> {
  const table = ARCHIVED_TABLES[run.table_hour.table_name]
  const repeated = new ChecksumSums(dataColumns(table))
  const ts_column = dataColumns(table).findIndex(({ name }) => name === table.identity[1])
  let [first, last] = [Infinity, -Infinity]
  for await (const { symbol, rows } of run.rows.parts(exchange, repeated)) {
    run.signal.throwIfAborted()
    for (const range of groupRanges(rows)) await file.writeGroup(symbol, rows, range)
    const ts = rows.columns[ts_column]!
    if (ts.kind !== 'numbers') throw new Error(`${table.identity[1]} is not a number.`)
    first = Math.min(first, ts.values[0]!)
    last = Math.max(last, ts.values[rows.row_count - 1]!)
  }
  await file.finish()
  const { table: of_table, file: of_file } = run.rows.sumsOf(exchange)
  const sums = new ChecksumSums(dataColumns(table))
  sums.add(of_table, 1)
  sums.add(of_file, 1)
  sums.add(repeated, -1)
  const { hour } = run.table_hour
  return {
    row_count: sums.row_count,
    checksums: sums.toChecksums(),
    min_ts_exchange: sums.row_count === 0 ? hour : (first as Micros),
    max_ts_exchange: sums.row_count === 0 ? hour : (last as Micros),
  }
}

async function describe(
  run: HourRun,
  exchange: Exchange,
  path: string,
  written: Written,
): Promise<ArchiveRecord> {
  const { table_name, hour } = run.table_hour
  const known = run.newest.get(exchange)
  const version = (known?.version ?? 0) + 1
  const date = dayOf(hour)
  const hour_of_day = (hour / HOUR_US) % 24
  const { bytes, sha256 } = await digestOf(createReadStream(path))
  return {
    exchange,
    table_name,
    hour: toIso(hour),
    version,
    object_key: archiveKey(table_name, exchange, date, hour_of_day, version),
    row_count: written.row_count,
    byte_count: bytes,
    sha256,
    min_ts_exchange: toIso(written.min_ts_exchange),
    max_ts_exchange: toIso(written.max_ts_exchange),
    checksums: written.checksums,
    table_row_count: run.rows.sumsOf(exchange).table.row_count,
    is_dropped: known?.is_dropped ?? false,
    is_revised: false,
  }
}
