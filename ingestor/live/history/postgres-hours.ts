/** The hours of a stream that are in Postgres. */
import { selectHourSpans } from '#core/node/hour-spans.ts'
import type { Client, Pool } from '#core/node/pool.ts'
import { withClient } from '#core/node/pool.ts'
import { type Column, RAW_TABLES } from '#core/tables.ts'
import { type Micros, micros, toIso } from '#core/time.ts'
import type { Row } from '../rows.ts'
import { type HourRows, type HourSource, type Wanted, wholeTimes } from './source.ts'

/** Hours with rows that were received after `after`. */
export async function readPostgresHours(
  pool: Pool,
  wanted: Wanted,
  after: number,
): Promise<readonly HourSource[]> {
  const spans = await withClient(pool, (client) =>
    selectHourSpans(client, [wanted.channel], -Infinity, Infinity, 1),
  )
  const hours: HourSource[] = []
  for (const span of spans) {
    const found = await withClient(pool, (client) => boundsOf(client, wanted, span, after))
    if (found === undefined) continue
    const read = (from: number, to: number, limit: number): Promise<HourRows> =>
      withClient(pool, (client) => readRows(client, wanted, span, from, to, limit))
    hours.push({ ...found, read })
  }
  return hours
}

interface Span {
  readonly from: Micros
  readonly to: Micros
}

async function boundsOf(
  client: Client,
  { channel, symbol_id }: Wanted,
  { from, to }: Span,
  after: number,
): Promise<{ readonly first: number; readonly last: number } | undefined> {
  const { rows } = await client.query<{ first: number | null; last: number | null }>(
    `select (extract(epoch from min(ts_ingest)) * 1000000)::float8 as first,
       (extract(epoch from max(ts_ingest)) * 1000000)::float8 as last
     from marketdata.${channel}
     where symbol_id = $1 and ts_exchange >= $2 and ts_exchange < $3 and ts_ingest > $4`,
    [symbol_id, toIso(from), toIso(to), toIso(micros(after))],
  )
  const { first, last } = rows[0]!
  return first === null || last === null ? undefined : { first, last }
}

async function readRows(
  client: Client,
  wanted: Wanted,
  span: Span,
  after: number,
  to: number,
  limit: number,
): Promise<HourRows> {
  const { channel, symbol_id } = wanted
  const { columns, identity } = RAW_TABLES[channel]
  const { rows } = await client.query<Row>(
    `select ${columns.map(cell).join(', ')} from marketdata.${channel} as t
     where symbol_id = $1 and t.ts_exchange >= $2 and t.ts_exchange < $3
       and t.ts_ingest > $4 and t.ts_ingest <= $5
     order by t.ts_ingest, ${identity.map((name) => `t.${name}`).join(', ')}
     limit $6`,
    [symbol_id, toIso(span.from), toIso(span.to), toIso(micros(after)), toIso(micros(to)), limit],
  )
  if (rows.length < limit) return { rows, is_whole: true }
  const whole = wholeTimes(rows)
  // All of these rows were received at the same time.
  if (whole.length === 0) return readRows(client, wanted, span, after, to, limit * 2)
  return { rows: whole, is_whole: false }
}

function cell({ name, type }: Column): string {
  switch (type) {
    case 'timestamptz':
      return `(extract(epoch from t.${name}) * 1000000)::float8 as ${name}`
    case 'int8':
      return `t.${name}::float8 as ${name}`
    default:
      return `t.${name}`
  }
}
