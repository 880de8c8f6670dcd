/**
 * Reads many partitions but locks only some of them at a time. A statement locks every partition
 * that it may read, and their indexes, until its transaction ends. Postgres has room for 64 locks
 * per connection. So a long range is read in spans of a few hours, each with bounds that the
 * planner knows. Inside a transaction, a savepoint per span releases the span's locks.
 */
import type { Client } from './pool.ts'
import { type Micros, micros, toIso } from '../time.ts'

/** [from, to) */
export interface HourSpan {
  readonly from: Micros
  readonly to: Micros
}

/** 24 locks for a table with three relations per hour (itself and two indexes). */
export const SPAN_HOURS = 8

/**
 * The parts of [from, to) in which at least one of the tables has a partition. Oldest first, each
 * at most `hour_count` hours long. Either end may be infinite.
 */
export async function selectHourSpans(
  client: Pick<Client, 'query'>,
  tables: readonly string[],
  from: number,
  to: number,
  hour_count = SPAN_HOURS,
): Promise<readonly HourSpan[]> {
  const { rows } = await client.query<{ from: number; to: number }>(
    `select (extract(epoch from span_from) * 1000000)::float8 as from,
       (extract(epoch from span_to) * 1000000)::float8 as to
     from marketdata.hour_spans($1, $2, $3, $4)`,
    [tables, boundOf(from), boundOf(to), hour_count],
  )
  return rows.map((row) => ({ from: micros(row.from), to: micros(row.to) }))
}

/** The result of `look`, whose locks are then released. Inside a transaction; `look` only reads. */
export async function givingLocksBack<T>(
  client: Pick<Client, 'query'>,
  look: () => Promise<T>,
): Promise<T> {
  await client.query(BEGIN_LOOK)
  const found = await look()
  await client.query(END_LOOK)
  return found
}

/** The same for a stream. A caller that stops early must end the transaction. */
export async function* streamGivingLocksBack<T>(
  client: Pick<Client, 'query'>,
  read: () => AsyncIterable<T>,
): AsyncGenerator<T> {
  await client.query(BEGIN_LOOK)
  yield* read()
  await client.query(END_LOOK)
}

const BEGIN_LOOK = 'savepoint look'
const END_LOOK = 'rollback to savepoint look; release savepoint look'

function boundOf(ts: number): string {
  if (ts === -Infinity) return '-infinity'
  return ts === Infinity ? 'infinity' : toIso(micros(ts))
}
