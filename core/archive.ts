/**
 * Finished hours of tables as Parquet files: what jobs write and the edge, the features and a person
 * with DuckDB read. Where the files lie is core/object-keys.ts' affair.
 *
 * Invariants of a file
 * 1. One (exchange, table, hour) and one version of it; a file that an index names is never
 *    changed. A version of a raw table's hour holds every row of the one before; rows of a rollup or
 *    of orderbook_topn may have given way to others.
 * 2. Columns are those of core/archived-tables.ts in their order, with `symbol` in place of `symbol_id`,
 *    which belongs to one database: timestamps as microseconds UTC (INT64), ids as INT64, prices and
 *    quantities as DOUBLE, levels as LIST<STRUCT<price DOUBLE, qty DOUBLE>>; null where the table
 *    allows it.
 * 3. Rows are sorted by symbol (UTF-8 bytes), then by the table's identity. A row group holds at
 *    most 131,072 rows of one symbol, and its statistics say of which and from when to when.
 * 4. Each column of a row group is one page of version 1. In zstd files whole numbers are
 *    DELTA_BINARY_PACKED and texts have a dictionary; snappy and gzip files have PLAIN alone, for
 *    readers that know no other.
 */
import type { ArchivedTable } from './archived-tables.ts'
import type { Exchange } from './symbols.ts'

/** One version of an archived hour, as marketdata.archive and a day's index.json name it. */
export interface ArchivedHour {
  readonly exchange: Exchange
  readonly table_name: ArchivedTable
  /** Start of the hour, ISO: 2026-11-20T13:00:00.000000Z. */
  readonly hour: string
  /** 1, and one more whenever late rows changed the hour. */
  readonly version: number
  readonly object_key: string
  readonly row_count: number
  readonly byte_count: number
  readonly sha256: string
  readonly min_ts_exchange: string
  readonly max_ts_exchange: string
}

/** index.json of a table's day: the newest version of every archived hour, oldest hour first. */
export interface ArchiveIndex {
  readonly exchange: Exchange
  readonly table_name: ArchivedTable
  readonly date: string
  readonly hours: readonly ArchivedHour[]
}
