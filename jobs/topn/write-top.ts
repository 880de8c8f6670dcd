/**
 * Writes rows of one symbol's orderbook_topn and its watermark in one transaction. It replaces all
 * rows of the span, so that setting a watermark back by hand does no harm.
 */
import copyStreams from 'pg-copy-streams'
import { putFloat, putInteger, putMicros, putNull } from '#core/node/pg-copy/cells.ts'
import {
  COPY_HEADER,
  COPY_TRAILER,
  NUMBER_BYTES,
  ROW_HEAD_BYTES,
} from '#core/node/pg-copy/format.ts'
import type { Client } from '#core/node/pool.ts'
import { HOUR_US, hourStart, type Micros, micros, toIso } from '#core/time.ts'
import { type TopRow, VALUE_COLUMNS } from './row.ts'

export interface TopPart {
  readonly symbol_id: number
  /** All rows of [from, to). Undefined: from the beginning. */
  readonly from: Micros | undefined
  readonly to: Micros
  readonly rows: readonly TopRow[]
}

/** A transaction locks the partitions that it deletes from until its end. */
const HOURS_AT_ONCE = 3

export async function writeTop(client: Client, part: TopPart): Promise<void> {
  const { symbol_id, from, to, rows } = part
  const is_long = from === undefined || to - from > HOURS_AT_ONCE * HOUR_US
  if (is_long) await clearSpan(client, part)
  await client.query('begin')
  try {
    const hours = new Set(rows.map((row) => hourStart(row.ts_exchange)))
    for (const hour of hours) {
      await client.query("select marketdata.ensure_hour('orderbook_topn', $1)", [toIso(hour)])
    }
    if (!is_long) {
      for (const hour of await deleteRows(client, symbol_id, from, to)) hours.add(hour)
    }
    await copyRows(client, symbol_id, rows)
    await client.query(
      `insert into marketdata.orderbook_topn_watermarks (symbol_id, covered_to) values ($1, $2)
       on conflict (symbol_id) do update set covered_to = excluded.covered_to, updated_at = now()`,
      [symbol_id, toIso(to)],
    )
    await client.query(LOG_INVALIDATION, [
      symbol_id,
      from === undefined ? '-infinity' : toIso(from),
      toIso(to),
    ])
    await client.query(LOG_FOR_ARCHIVE, [symbol_id, [...hours].map(toIso)])
    await client.query('commit')
  } catch (error) {
    await client.query('rollback').catch(() => undefined)
    throw error
  }
}

/** Deletes the rows of a long span over several transactions. A later run can continue. */
async function clearSpan(client: Client, { symbol_id, from, to }: TopPart): Promise<void> {
  let begin = from === undefined ? '-infinity' : toIso(from)
  for (;;) {
    const { rows } = await client.query<{ oldest: number | null }>(
      `select (extract(epoch from marketdata.nearest_ts('orderbook_topn', $1, $2, $3, false))
         * 1000000)::float8 as oldest`,
      [symbol_id, begin, toIso(to)],
    )
    const oldest = rows[0]?.oldest ?? undefined
    if (oldest === undefined) return
    const lowest = micros(oldest)
    const end = micros(Math.min(to, hourStart(lowest) + HOURS_AT_ONCE * HOUR_US))
    await client.query('begin')
    const hours = await deleteRows(client, symbol_id, lowest, end)
    await client.query(LOG_INVALIDATION, [symbol_id, toIso(lowest), toIso(end)])
    await client.query(LOG_FOR_ARCHIVE, [symbol_id, hours.map(toIso)])
    await client.query('commit')
    begin = toIso(end)
  }
}

/** Returns the hours that had rows. */
async function deleteRows(
  client: Client,
  symbol_id: number,
  from: Micros,
  to: Micros,
): Promise<readonly Micros[]> {
  const { rows } = await client.query<{ ts: number }>(
    `with gone as (
       delete from marketdata.orderbook_topn
       where symbol_id = $1 and ts_exchange >= $2 and ts_exchange < $3 returning ts_exchange
     )
     select distinct
       (extract(epoch from date_bin('1 hour', ts_exchange, 'epoch')) * 1000000)::float8 as ts
     from gone`,
    [symbol_id, toIso(from), toIso(to)],
  )
  return rows.map(({ ts }) => micros(ts))
}

/** Rollups computed from the span must be recomputed; see ingestor/writer/commit.ts. */
const LOG_INVALIDATION = `with threshold as (
    select table_name, consumers, threshold from marketdata.invalidation_thresholds
    where table_name = 'orderbook_topn' for share
  )
  insert into marketdata.invalidations (consumer, table_name, symbol_id, lowest, greatest)
  select consumer, table_name, $1, $2, $3
  from threshold cross join unnest(consumers) as consumer
  where threshold > $2`

/** The archive works by hour, so each changed hour gets its own entry. */
const LOG_FOR_ARCHIVE = `with threshold as (
    select consumers, threshold from marketdata.invalidation_thresholds
    where table_name = 'archive.orderbook_topn' for share
  )
  insert into marketdata.invalidations (consumer, table_name, symbol_id, lowest, greatest)
  select consumer, 'orderbook_topn', $1, hour, hour + interval '1 hour' - interval '1 microsecond'
  from threshold cross join unnest(consumers) as consumer
    cross join unnest($2::timestamptz[]) as hour
  where threshold > hour`

const COLUMNS = ['ts_exchange', 'symbol_id', 'final_update_id', ...VALUE_COLUMNS]
const ROW_BYTES_MAX = ROW_HEAD_BYTES + COLUMNS.length * NUMBER_BYTES

async function copyRows(client: Client, symbol_id: number, rows: readonly TopRow[]): Promise<void> {
  if (rows.length === 0) return
  const sql = `copy marketdata.orderbook_topn (${COLUMNS.join(', ')}) from stdin (format binary)`
  const stream = client.query(copyStreams.from(sql))
  await new Promise<void>((resolve, reject) => {
    stream.on('error', reject)
    stream.once('finish', resolve)
    stream.write(COPY_HEADER)
    stream.write(encode(symbol_id, rows))
    stream.end(COPY_TRAILER)
  })
}

function encode(symbol_id: number, rows: readonly TopRow[]): Buffer {
  const bytes = Buffer.allocUnsafe(rows.length * ROW_BYTES_MAX)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0
  for (const { ts_exchange, final_update_id, values } of rows) {
    view.setInt16(at, COLUMNS.length)
    at = putMicros(view, at + ROW_HEAD_BYTES, ts_exchange)
    at = putInteger(view, at, symbol_id)
    at = putInteger(view, at, final_update_id)
    for (const value of values) {
      at = value === null ? putNull(view, at) : putFloat(view, at, value)
    }
  }
  return bytes.subarray(0, at)
}
