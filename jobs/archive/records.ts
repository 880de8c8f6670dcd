/** Rows of marketdata.archive: the archived hours and their versions. */
import type { ArchivedHour } from '#core/archive.ts'
import type { ArchivedTable } from '#core/archived-tables.ts'
import type { Client, Pool } from '#core/node/pool.ts'
import type { Exchange } from '#core/symbols.ts'
import { type Micros, toIso } from '#core/time.ts'
import type { Checksums } from '../columns/checksum.ts'

/** A file of the lake, with what proves that its rows were read back as they were written. */
export interface ArchivedFile extends ArchivedHour {
  readonly checksums: Checksums
}

export interface ArchiveRecord extends ArchivedFile {
  /** Number of the hour's rows in Postgres. */
  readonly table_row_count: number
  /** True if Postgres no longer holds all rows of the file. */
  readonly is_dropped: boolean
  /** True if an import has replaced rows of the file in Postgres. */
  readonly is_revised: boolean
}

/** One hour of one table: the unit that is archived under one lock. */
export interface TableHour {
  readonly table_name: ArchivedTable
  readonly hour: Micros
}

/** `book_ticker 2024-08-08T23`: the window of a run, and its lock. */
export function hourWindow({ table_name, hour }: TableHour): string {
  return `${table_name} ${toIso(hour).slice(0, 13)}`
}

/** The newest version of each exchange. */
export async function selectNewest(
  client: Client | Pool,
  { table_name, hour }: TableHour,
): Promise<ReadonlyMap<Exchange, ArchiveRecord>> {
  const { rows } = await client.query<ArchiveRow>(
    `select distinct on (exchange) ${COLUMNS}, checksums, table_row_count, is_revised,
       dropped_at is not null as is_dropped
     from marketdata.archive where table_name = $1 and hour = $2
     order by exchange, version desc`,
    [table_name, toIso(hour)],
  )
  return new Map(
    rows.map((row) => {
      const record = {
        ...archivedHourOf(row),
        checksums: row.checksums,
        table_row_count: Number(row.table_row_count),
        is_dropped: row.is_dropped,
        is_revised: row.is_revised,
      }
      return [row.exchange, record]
    }),
  )
}

/**
 * The newest file of each exchange. Reads only columns that the table has had from the beginning: a
 * restore loads hours before it migrates the backup's schema.
 */
export async function selectNewestFiles(
  client: Client,
  { table_name, hour }: TableHour,
): Promise<readonly ArchivedFile[]> {
  const { rows } = await client.query<ArchivedRow & Pick<ArchivedFile, 'checksums'>>(
    `select distinct on (exchange) ${COLUMNS}, checksums
     from marketdata.archive where table_name = $1 and hour = $2
     order by exchange, version desc`,
    [table_name, toIso(hour)],
  )
  return rows.map((row) => ({ ...archivedHourOf(row), checksums: row.checksums }))
}

/** The newest version of every archived hour in [from, to), oldest hour first. */
export async function selectArchivedHours(
  client: Client | Pool,
  wanted: {
    readonly exchange: Exchange
    readonly table_name: ArchivedTable
    readonly from: Micros
    readonly to: Micros
  },
): Promise<readonly ArchivedHour[]> {
  const { rows } = await client.query<ArchivedRow>(
    `select distinct on (hour) ${COLUMNS}
     from marketdata.archive
     where exchange = $1 and table_name = $2 and hour >= $3 and hour < $4
     order by hour, version desc`,
    [wanted.exchange, wanted.table_name, toIso(wanted.from), toIso(wanted.to)],
  )
  return rows.map(archivedHourOf)
}

export async function insertRecord(
  client: Client,
  record: ArchiveRecord,
  archived_at: Date,
): Promise<void> {
  await client.query(
    `insert into marketdata.archive
       (exchange, table_name, hour, version, object_key, row_count, byte_count, sha256, checksums,
        min_ts_exchange, max_ts_exchange, archived_at, table_row_count, dropped_at)
     select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
       (select min(dropped_at) from marketdata.archive
        where exchange = $1 and table_name = $2 and hour = $3)`,
    [
      record.exchange,
      record.table_name,
      record.hour,
      record.version,
      record.object_key,
      record.row_count,
      record.byte_count,
      record.sha256,
      record.checksums,
      record.min_ts_exchange,
      record.max_ts_exchange,
      archived_at,
      record.table_row_count,
    ],
  )
}

/**
 * Records how many rows the table has now; the newest version holds all of them. Does nothing if
 * they have been dropped in the meantime.
 */
export async function updateTableRowCount(
  client: Client,
  { exchange, table_name, hour, version, is_dropped }: ArchiveRecord,
  table_row_count: number,
): Promise<void> {
  await client.query(
    `update marketdata.archive set table_row_count = $5
     where exchange = $1 and table_name = $2 and hour = $3 and version = $4
       and (dropped_at is not null) = $6`,
    [exchange, table_name, hour, version, table_row_count, is_dropped],
  )
}

interface ArchivedRow {
  readonly exchange: Exchange
  readonly table_name: ArchivedTable
  readonly hour: string
  readonly version: number
  readonly object_key: string
  readonly row_count: string
  readonly byte_count: string
  readonly sha256: string
  readonly min_ts_exchange: string
  readonly max_ts_exchange: string
}

interface ArchiveRow extends ArchivedRow {
  readonly checksums: Checksums
  readonly table_row_count: string
  readonly is_dropped: boolean
  readonly is_revised: boolean
}

const iso = (column: string): string =>
  `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as ${column}`

const COLUMNS = `exchange, table_name, ${iso('hour')}, version, object_key, row_count, byte_count,
  sha256, ${iso('min_ts_exchange')}, ${iso('max_ts_exchange')}`

function archivedHourOf(row: ArchivedRow): ArchivedHour {
  const { exchange, table_name, hour, version, object_key, sha256 } = row
  return {
    exchange,
    table_name,
    hour,
    version,
    object_key,
    row_count: Number(row.row_count),
    byte_count: Number(row.byte_count),
    sha256,
    min_ts_exchange: row.min_ts_exchange,
    max_ts_exchange: row.max_ts_exchange,
  }
}
