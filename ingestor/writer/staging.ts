/**
 * The careful path into a table, for batches with clashing keys or rows that Postgres refuses: COPY
 * into a temporary table, then INSERT ... ON CONFLICT DO NOTHING. Duplicates are counted exactly. A
 * bad row is found by halving and returned with the reason; all other rows are stored.
 */
import { OperatorError } from '#core/errors.ts'
import type { Client } from '#core/node/pool.ts'
import type { Table } from '#core/tables.ts'
import { micros } from '#core/time.ts'
import { type Conflict, findConflicts } from './conflicts.ts'
import { copyInto } from './copy.ts'
import type { CopyRows } from './copy-encoder.ts'
import { troubleOf } from './database-errors.ts'
import type { AddedRange } from './invalidations.ts'

export interface BadRow {
  readonly rows: CopyRows
  readonly index: number
  readonly cause: unknown
}

export interface Staged {
  /** Number of rows added to the table. */
  readonly stored: number
  /** Ranges of the added rows. */
  readonly added: readonly AddedRange[]
  /** Number of rows whose key the table holds with other values. */
  readonly conflict_count: number
  readonly conflicts: readonly Conflict[]
  readonly bad: readonly BadRow[]
}

/** With more bad rows than this in a batch, the table is at fault and the batch fails. */
export const BAD_ROWS_PER_BATCH_MAX = 200

/** Stores all rows except the bad ones, inside the open transaction of `client`. */
export async function storeCarefully(client: Client, rows: CopyRows): Promise<Staged> {
  const stage = `pg_temp.stage_${rows.table.name}`
  await client.query(
    `create temp table if not exists stage_${rows.table.name} (like marketdata.${rows.table.name})
      on commit delete rows`,
  )
  const merge = mergeSql(rows.table, stage)
  const added: AddedRange[] = []
  const bad: BadRow[] = []
  const conflicts: Conflict[] = []
  let conflict_count = 0

  const store = async (from: number, to: number): Promise<number> => {
    await client.query('savepoint part')
    try {
      await copyInto(client, stage, rows, from, to)
      const merged = await client.query<MergedRange>(merge)
      const added_count = merged.rows.reduce((sum, range) => sum + range.row_count, 0)
      const met =
        added_count < to - from ? await findConflicts(client, rows.table, stage) : undefined
      if (to - from < rows.row_count) await client.query(`truncate ${stage}`)
      await client.query('release savepoint part')
      added.push(...merged.rows.map((range) => addedRange(rows.table, range)))
      conflicts.push(...(met?.evidence ?? []))
      conflict_count += met?.count ?? 0
      return added_count
    } catch (cause) {
      if (troubleOf(cause) !== 'bad_row') throw cause
      await client.query('rollback to savepoint part; release savepoint part')
      if (to - from === 1) {
        bad.push({ rows, index: from, cause })
        if (bad.length > BAD_ROWS_PER_BATCH_MAX) throw tooManyBadRows(rows.table, cause)
        return 0
      }
    }
    const middle = (from + to) >>> 1
    const left = await store(from, middle)
    return left + (await store(middle, to))
  }

  const stored = await store(0, rows.row_count)
  return { stored, added, conflict_count, conflicts, bad }
}

/** New rows of one symbol and hour; times in microseconds. */
interface MergedRange {
  readonly symbol_id: string
  readonly lowest: number
  readonly greatest: number
  readonly row_count: number
}

function mergeSql(table: Table, stage: string): string {
  const columns = table.columns.map((column) => column.name).join(', ')
  // Ordered by key, so two writers of the same rows cannot deadlock.
  return `with added as (
      insert into marketdata.${table.name} (${columns})
      select ${columns} from ${stage} order by ${table.identity.join(', ')}
      on conflict do nothing
      returning symbol_id, ts_exchange
    )
    select symbol_id,
      (extract(epoch from min(ts_exchange)) * 1000000)::float8 as lowest,
      (extract(epoch from max(ts_exchange)) * 1000000)::float8 as greatest,
      count(*)::int as row_count
    from added group by symbol_id, date_bin('1 hour', ts_exchange, 'epoch')`
}

function addedRange(table: Table, { symbol_id, lowest, greatest }: MergedRange): AddedRange {
  return {
    table_name: table.name,
    symbol_id: Number(symbol_id),
    lowest: micros(lowest),
    greatest: micros(greatest),
  }
}

function tooManyBadRows(table: Table, cause: unknown): OperatorError {
  return new OperatorError(
    'too_many_bad_rows',
    `Postgres refuses more than ${BAD_ROWS_PER_BATCH_MAX} rows of one batch for ${table.name}: ${cause instanceof Error ? cause.message : String(cause)}.`,
    {
      hint: 'Look for a foreign constraint or trigger on the table. The rows are still on the tape.',
      retryable: true,
      cause,
    },
  )
}
