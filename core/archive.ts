/**
 * Archived hours: one finished hour of one table, as a Parquet file. Jobs write them; the edge, the
 * feature job and anyone with DuckDB read them. core/object-keys.ts defines their keys.
 *
 * Invariants of a file
 * 1. A file is one version of one (exchange, table, hour). Once an index lists a file, it never
 *    changes. A new version of a raw table's hour keeps every row of the previous version. A new
 *    version of a rollup or of orderbook_topn may replace rows.
 * 2. Columns are those of core/archived-tables.ts, in that order. `symbol` replaces `symbol_id`,
 *    because an id is valid in one database only. Timestamps are microseconds UTC (INT64), ids are
 *    INT64, prices and quantities are DOUBLE, levels are LIST<STRUCT<price DOUBLE, qty DOUBLE>>.
 *    A column is nullable if the table's column is. `exchange` is the last column; files of before
 *    2026-11-28 do not have it. Columns have the field ids of jobs/parquet/field-ids.ts.
 * 3. Rows are sorted by symbol (UTF-8 bytes), then by the table's identity. A row group holds at
 *    most 131,072 rows, all of one symbol. Its statistics give the symbol and the time range.
 * 4. Each column of a row group is one page of version 1. In zstd files integers are
 *    DELTA_BINARY_PACKED and text columns have a dictionary. Snappy and gzip files use PLAIN only,
 *    for readers that support no other encoding.
 */
import type { ArchivedTable } from './archived-tables.ts'
import type { Exchange } from './symbols.ts'

/** One version of an archived hour, as marketdata.archive and a day's index.json name it. */
export interface ArchivedHour {
  readonly exchange: Exchange
  readonly table_name: ArchivedTable
  /** Start of the hour, ISO: 2026-11-20T13:00:00.000000Z. */
  readonly hour: string
  /** Starts at 1; each change by late rows adds 1. */
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
