/** Lists the partitions and the state of each: archived, rolled up, late rows. */
import type { ArchivedTable } from '#core/archived-tables.ts'
import type { Pool } from '#core/node/pool.ts'
import { RAW_CHANNELS } from '#core/tables.ts'
import { micros } from '#core/time.ts'
import type { PartitionState } from './retention-plan.ts'
import type { RetentionKind } from './settings.ts'

interface Retained {
  readonly table_name: ArchivedTable
  readonly kind: RetentionKind
  readonly made_from: readonly ArchivedTable[] | undefined
  /** The rollup that is computed from its rows. */
  readonly rollup: string | undefined
}

const ROLLUP_OF: Readonly<Record<string, string>> = {
  book_ticker: 'bt_1s',
  trades: 'trade_1s',
  depth_events: 'depth_1s',
  orderbook_topn: 'depth_1s',
}

const made = (
  table_name: ArchivedTable,
  kind: RetentionKind,
  made_from: readonly ArchivedTable[],
): Retained => ({
  table_name,
  kind,
  made_from,
  rollup: ROLLUP_OF[table_name],
})

/** Raw tables have a partition per hour, rollups one per day. */
const RETAINED: readonly Retained[] = [
  ...RAW_CHANNELS.map((table_name) => ({
    table_name,
    kind: table_name === 'depth_events' ? ('depth' as const) : ('raw' as const),
    made_from: undefined,
    rollup: ROLLUP_OF[table_name],
  })),
  made('orderbook_topn', 'depth', ['depth_events']),
  made('bt_1s', 'rollups', ['book_ticker']),
  made('trade_1s', 'rollups', ['trades']),
  made('depth_1s', 'rollups', ['depth_events', 'orderbook_topn']),
]

export async function selectPartitions(pool: Pool): Promise<readonly PartitionState[]> {
  const { rows } = await pool.query<PartitionRow>(PARTITIONS, [
    RETAINED.map(({ table_name }) => table_name),
    RETAINED.map(({ rollup }) => rollup ?? null),
    RETAINED.map(({ table_name, made_from }) => made_from?.[0] ?? table_name),
  ])
  const states: PartitionState[] = []
  for (const row of rows) {
    const { table_name, partition, from_us, span_us, ...known } = row
    const { kind, made_from } = RETAINED.find((one) => one.table_name === table_name)!
    const from = micros(from_us)
    states.push({
      ...known,
      table_name,
      partition,
      kind,
      made_from,
      from,
      to: micros(from + span_us),
      byte_count: Number(row.byte_count),
      // An archived partition had rows; few others need the check.
      is_empty: !known.is_archived && (await isEmpty(pool, partition)),
      is_ahead_of_topn:
        table_name === 'depth_events' && known.is_archived && (await isUnread(pool, partition)),
    })
  }
  return states
}

async function isEmpty(pool: Pool, partition: string): Promise<boolean> {
  const { rowCount } = await pool.query(`select from marketdata.${partition} limit 1`)
  return rowCount === 0
}

/** Whether it has depth that orderbook_topn does not include yet. */
async function isUnread(pool: Pool, partition: string): Promise<boolean> {
  const { rowCount } = await pool.query(
    `select from marketdata.symbols s
     left join marketdata.orderbook_topn_watermarks w on w.symbol_id = s.id
     where exists (
       select from marketdata.${partition} d
       where d.symbol_id = s.id and d.ts_exchange >= coalesce(w.read_to, '-infinity')
     ) limit 1`,
  )
  return rowCount === 1
}

interface PartitionRow {
  readonly table_name: ArchivedTable
  readonly partition: string
  readonly from_us: number
  readonly span_us: number
  readonly byte_count: string
  readonly is_archived: boolean
  readonly is_remainder: boolean
  readonly has_late_rows: boolean
  readonly is_ahead_of_rollup: boolean
}

/**
 * A partition's name has its table and the day or hour that it holds. A rollup's watermark is just
 * after the newest row it has seen, which need not be the end of the hour.
 */
const PARTITIONS = `
select t.table_name, c.relname as partition,
  (extract(epoch from p.from_ts) * 1000000)::float8 as from_us,
  (extract(epoch from p.span) * 1000000)::float8 as span_us,
  pg_total_relation_size(c.oid) as byte_count,
  coalesce(a.is_archived, false) as is_archived, coalesce(a.is_remainder, false) as is_remainder,
  exists (
    select from marketdata.invalidations i
    where i.table_name = t.table_name and i.lowest < p.from_ts + p.span and i.greatest >= p.from_ts
      and i.consumer not in ('features', 'clusters', 'signals')
  ) as has_late_rows,
  exists (
    select from marketdata.rollup_watermarks w
    join pg_class r on r.relname = w.rollup and r.relnamespace = 'marketdata'::regnamespace
    join marketdata.archive newest on newest.table_name = t.source and newest.hour = p.from_ts
    where w.rollup = t.rollup and r.relkind = 'p' and w.watermark <= newest.max_ts_exchange
  ) as is_ahead_of_rollup
from unnest($1::text[], $2::text[], $3::text[]) as t (table_name, rollup, source)
join pg_class parent on parent.relname = t.table_name and parent.relkind = 'p'
  and parent.relnamespace = 'marketdata'::regnamespace
join pg_inherits i on i.inhparent = parent.oid
join pg_class c on c.oid = i.inhrelid
cross join lateral (
  select substring(c.relname from '_([0-9]{8}|[0-9]{10})$') as digits
) n
cross join lateral (
  select to_timestamp(n.digits, 'YYYYMMDDHH24') as from_ts,
    case when length(n.digits) = 8 then interval '1 day' else interval '1 hour' end as span
) p
left join lateral (
  select true as is_archived, bool_or(dropped_at is not null) as is_remainder
  from marketdata.archive
  where table_name = t.table_name and hour >= p.from_ts and hour < p.from_ts + p.span
  having count(*) > 0
) a on true
where n.digits is not null
order by p.from_ts, c.relname`
