/**
 * What an event costs on disk: on the tape, in Postgres with its indexes, and in the archive's
 * Parquet, per table. A recording is played onto a tape and through the real writer and jobs.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { ARCHIVED_NAMES, type ArchivedTable } from '#core/archived-tables.ts'
import { CHANNELS } from '#core/market.ts'
import { silentLogger } from '#core/node/log.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import type { Pool } from '#core/node/pool.ts'
import { summariseRecording } from '../../infra/exchange/replay/recording.ts'
import { streamsOf } from '../../infra/local/feed.ts'
import { importRecording } from '../../infra/local/tape-import.ts'
import { openTape } from '../../ingestor/tape/writer.ts'
import { followToEnd } from '../../ingestor/writer/follow-to-end.ts'
import { runArchive } from '../../jobs/archive/run-archive.ts'
import { runRollups } from '../../jobs/rollups/run-rollups.ts'
import { createTopnJob } from '../../jobs/topn/run-topn.ts'

export interface TableSize {
  readonly row_count: number
  /** Bytes a row in Postgres: table, indexes and long values. */
  readonly hot_bytes: number
  /** Bytes a row in the archive; null if it was not archived. */
  readonly cold_bytes: number | null
}

export interface Sizes {
  readonly tables: Partial<Record<ArchivedTable, TableSize>>
  /** Bytes an event on the tape. */
  readonly tape_bytes: number
}

const MIB = 1024 ** 2
const TOPN_CADENCE = { min_us: 100_000, max_us: 1_000_000 }

/** `pool`: of an empty migrated database at `database_url`. Files go into `dir`. */
export async function measureSizes(options: {
  readonly pool: Pool
  readonly database_url: string
  readonly store: ObjectStore
  readonly dir: string
  readonly recording: string
}): Promise<Sizes> {
  const { pool, store, dir } = options
  const tape_bytes = await record(options)
  const signal = new AbortController().signal
  const run = { pool, log: silentLogger, now: Date.now }
  await createTopnJob({ ...run, cadence: TOPN_CADENCE }).run(signal)
  await runRollups({ ...run, signal })
  const work_dir = join(dir, 'work')
  mkdirSync(work_dir, { recursive: true })
  await runArchive({ ...run, store, work_dir, codec: 'zstd' })
  await pool.query('vacuum analyze')
  const tables: Sizes['tables'] = {}
  for (const table of ARCHIVED_NAMES) {
    const size = await sizeOf(pool, table)
    if (size !== undefined) tables[table] = size
  }
  return { tables, tape_bytes }
}

/** Bytes of the tape per event. */
async function record({
  database_url,
  dir,
  recording,
}: Parameters<typeof measureSizes>[0]): Promise<number> {
  const tape_dir = join(dir, 'tape')
  const tape = openTape({
    dir: tape_dir,
    max_bytes: 1024 * MIB,
    segment_bytes: 64 * MIB,
    record_bytes_max: 16 * MIB,
    keep_s: 0,
    log: silentLogger,
  })
  const { from, to, ws_count } = await importRecording(tape, recording)
  await tape.close()
  const summary = await summariseRecording(recording)
  await followToEnd({
    database_url,
    ingestor_id: 'sizes',
    tape_dir,
    choice: { channels: CHANNELS, ...streamsOf(summary) },
    dead_letter_path: join(dir, 'dead-letters.ndjson'),
    log: silentLogger,
  })
  return (to - from) / ws_count
}

async function sizeOf(pool: Pool, table: ArchivedTable): Promise<TableSize | undefined> {
  const { rows } = await pool.query<{ row_count: string; byte_count: string }>(
    `select (select count(*) from marketdata.${table}) as row_count,
       (select coalesce(sum(pg_total_relation_size(inhrelid)), 0) from pg_inherits
        where inhparent = 'marketdata.${table}'::regclass) as byte_count`,
  )
  const row_count = Number(rows[0]!.row_count)
  if (row_count === 0) return undefined
  const is_small = row_count < ROWS_MIN
  const hot_bytes = is_small
    ? await sizeOfCopies(pool, table, Math.ceil(ROWS_MIN / row_count))
    : Number(rows[0]!.byte_count) / row_count
  return { row_count, hot_bytes, cold_bytes: await coldBytes(pool, table) }
}

/** With fewer rows, the fixed size of empty pages would count. */
const ROWS_MIN = 20_000

/** The same rows of many symbols in one table. */
async function sizeOfCopies(pool: Pool, table: ArchivedTable, copy_count: number): Promise<number> {
  await pool.query(`create table marketdata.copies (like marketdata.${table} including all)`)
  try {
    const inserted = await pool.query(
      `insert into marketdata.copies
       select (jsonb_populate_record(t, jsonb_build_object('symbol_id', t.symbol_id + 1000 * n))).*
       from marketdata.${table} t cross join generate_series(1, $1) n
       order by n, 1, 2`,
      [copy_count],
    )
    const { rows } = await pool.query<{ byte_count: string }>(
      "select pg_total_relation_size('marketdata.copies') as byte_count",
    )
    return Number(rows[0]!.byte_count) / inserted.rowCount!
  } finally {
    await pool.query('drop table marketdata.copies')
  }
}

/** Null for a table that is not archived. */
async function coldBytes(pool: Pool, table: ArchivedTable): Promise<number | null> {
  const { rows } = await pool.query<{ bytes: number | null }>(
    `select (sum(byte_count) / nullif(sum(row_count), 0))::float8 as bytes
     from marketdata.archive where table_name = $1`,
    [table],
  )
  return rows[0]!.bytes
}
