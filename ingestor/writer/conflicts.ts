/**
 * A conflict is a row whose key is already stored with other values. A row with the same values is
 * a duplicate. Conflicts are counted separately, and both rows are kept as evidence. They are
 * looked for only after keys clash, so a stream without repeated keys pays nothing.
 */
import type { Client } from '#core/node/pool.ts'
import type { PriceValue } from '#core/node/prices.ts'
import type { Channel } from '#core/market.ts'
import type { RawChannel, Table } from '#core/tables.ts'
import { micros, toIso } from '#core/time.ts'

export interface Conflict {
  readonly table_name: Channel
  /** Null for index prices. */
  readonly symbol_id: number | null
  /** ISO 8601. */
  readonly ts_exchange: string
  readonly kept: object
  readonly refused: object
}

export interface Conflicts {
  readonly count: number
  /** At most EVIDENCE_MAX of them. */
  readonly evidence: readonly Conflict[]
}

/** Kept per batch and table. The rest are only counted. */
export const EVIDENCE_MAX = 100
const TABLE_ROWS_MAX = 10_000

/** Columns in which null means that the exchange sent no value. Null conflicts with nothing. */
const UNKNOWN_IF_NULL: { readonly [name in RawChannel]?: readonly string[] } = {
  trades: ['non_rpi_qty', 'first_trade_id', 'last_trade_id'],
  depth_events: ['first_update_id', 'prev_final_update_id'],
  mark_price: ['index_price', 'settle_price', 'funding_rate', 'next_funding_at'],
}

type Row = Readonly<Record<string, unknown>>

/** Compares two rows with the same key, as decodeRow returns them; undefined if they agree. */
export function conflictOf(table: Table, kept: Row, refused: Row): Conflict | undefined {
  const is_other = valuesOf(table).some(({ name, may_be_unknown }) => {
    const [a, b] = [kept[name], refused[name]]
    if (may_be_unknown && (a === null || b === null)) return false
    return typeof a === 'object' ? JSON.stringify(a) !== JSON.stringify(b) : a !== b
  })
  if (!is_other) return undefined
  return {
    table_name: table.name,
    symbol_id: kept['symbol_id'] as number,
    ts_exchange: toIso(micros(kept['ts_exchange'] as number)),
    kept: withIsoTimes(table, kept),
    refused: withIsoTimes(table, refused),
  }
}

/** Rows of `stage` whose key the table holds with other values. */
export async function findConflicts(
  client: Client,
  table: Table,
  stage: string,
): Promise<Conflicts> {
  const same_key = table.identity.map((name) => `kept.${name} = refused.${name}`).join(' and ')
  const is_other = valuesOf(table).map(({ name, may_be_unknown }) =>
    may_be_unknown
      ? `kept.${name} <> refused.${name}`
      : `kept.${name} is distinct from refused.${name}`,
  )
  const asJson = (row: string): string =>
    `jsonb_build_object(${table.columns.map(({ name }) => `'${name}', ${row}.${name}`).join(', ')})`
  // Hour by hour, with bounds the planner can see. Otherwise it locks every partition of the table.
  const { rows: hours } = await client.query<{ from_ts: string; to_ts: string }>(
    `select hour::text as from_ts, (hour + interval '1 hour')::text as to_ts
    from (select distinct date_bin('1 hour', ts_exchange, 'epoch') as hour from ${stage}) h`,
  )
  let count = 0
  const evidence: Conflict[] = []
  for (const { from_ts, to_ts } of hours) {
    const { rows } = await client.query<{ count: number; evidence: readonly Conflict[] | null }>(
      `with other as (
        select '${table.name}' as table_name, kept.symbol_id, kept.ts_exchange,
          ${asJson('kept')} as kept, ${asJson('refused')} as refused
        from ${stage} refused join marketdata.${table.name} kept on ${same_key}
        where kept.ts_exchange >= $1 and kept.ts_exchange < $2 and (${is_other.join(' or ')})
      )
      select (select count(*) from other)::int as count,
        (select jsonb_agg(to_jsonb(shown)) from (select * from other limit ${EVIDENCE_MAX}) shown) as evidence`,
      [from_ts, to_ts],
    )
    count += rows[0]?.count ?? 0
    evidence.push(...(rows[0]?.evidence ?? []))
  }
  return { count, evidence: evidence.slice(0, EVIDENCE_MAX) }
}

/** The same for index prices, once they are stored. */
export async function findPriceConflicts(
  client: Client,
  prices: readonly PriceValue[],
): Promise<Conflicts> {
  const { rows } = await client.query<Omit<Conflict, 'table_name' | 'symbol_id'>>(
    `select p."timestamp" as ts_exchange,
        jsonb_build_object('ticker', p.ticker, 'price', p.price, 'timestamp', p."timestamp") as kept,
        jsonb_build_object('ticker', ticker, 'price', new.price, 'timestamp', new."timestamp") as refused
      from unnest($1::text[], $2::numeric[], $3::timestamptz[]) as new (ticker, price, "timestamp")
      join marketdata.prices p using (ticker, "timestamp")
      where p.price <> new.price`,
    [
      prices.map((value) => value.symbol),
      prices.map((value) => String(value.price)),
      prices.map((value) => toIso(value.ts_exchange)),
    ],
  )
  const all = rows.map((row) => ({ table_name: 'prices', symbol_id: null, ...row }) as const)
  return { count: all.length, evidence: all.slice(0, EVIDENCE_MAX) }
}

/** Writes to marketdata.conflicts and deletes the oldest rows beyond TABLE_ROWS_MAX. */
export async function keepConflicts(
  client: Client,
  ingestor_id: string,
  evidence: readonly Conflict[],
): Promise<void> {
  if (evidence.length === 0) return
  await client.query(
    `insert into marketdata.conflicts (ingestor_id, table_name, symbol_id, ts_exchange, kept, refused)
    select $1, table_name, symbol_id, ts_exchange, kept, refused
    from jsonb_to_recordset($2::jsonb) as c (table_name text, symbol_id bigint,
      ts_exchange timestamptz, kept jsonb, refused jsonb)
    on conflict do nothing`,
    [ingestor_id, JSON.stringify(evidence)],
  )
  await client.query(
    `delete from marketdata.conflicts where id <= (select max(id) from marketdata.conflicts) - $1::bigint`,
    [TABLE_ROWS_MAX],
  )
}

/** Columns other than the key and ts_ingest. */
function valuesOf({ name: table_name, columns, identity }: Table) {
  const unknown_if_null = UNKNOWN_IF_NULL[table_name] ?? []
  return columns
    .filter(({ name }) => name !== 'ts_ingest' && !identity.includes(name))
    .map(({ name }) => ({ name, may_be_unknown: unknown_if_null.includes(name) }))
}

function withIsoTimes({ columns }: Table, row: Row): Row {
  const times = columns.filter(({ name, type }) => type === 'timestamptz' && row[name] !== null)
  const iso = times.map(({ name }) => [name, toIso(micros(row[name] as number))])
  return { ...row, ...Object.fromEntries(iso) }
}
