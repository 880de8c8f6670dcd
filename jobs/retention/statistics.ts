/**
 * Where the disk of the database goes: tables, partitions, growth, and what retention would drop.
 */
import { type Client, type Pool, withClient } from '#core/node/pool.ts'
import { DAY_US, fromMillis, HOUR_US, type Micros, toIso } from '#core/time.ts'
import { selectPartitions } from './partitions.ts'
import {
  type DropReason,
  type PartitionState,
  planRetention,
  type RetentionPlan,
} from './retention-plan.ts'
import type { RetentionSettings } from './settings.ts'

export interface TableStatistics {
  readonly table_name: string
  /** 0 for a table without partitions. */
  readonly partition_count: number
  /** Begin of the oldest partition and end of the newest one; null without partitions. */
  readonly from: string | null
  readonly to: string | null
  /** With indexes and long values. */
  readonly byte_count: number
  readonly index_bytes: number
  /** By the statistics of Postgres. */
  readonly row_count: number
  /** Of partitions whose time ended in the last day; null where there is none. */
  readonly bytes_per_hour: number | null
}

export interface RetentionOutlook {
  /** Of the hourly partitions. */
  readonly used_bytes: number
  /** 0: no limit. */
  readonly budget_bytes: number
  /** Until the budget is used up, at the growth of the last day; null where that is not known. */
  readonly budget_left_h: number | null
  /** What would be dropped now, by reason. */
  readonly drops: readonly {
    readonly reason: DropReason
    readonly partition_count: number
    readonly byte_count: number
  }[]
}

export interface DatabaseStatistics {
  readonly database_bytes: number
  /** The largest first. */
  readonly tables: readonly TableStatistics[]
  readonly retention: RetentionOutlook
}

/** `now_ms`: since 1970. Reads the catalog, and whether partitions are empty. */
export async function selectStatistics(
  pool: Pool,
  settings: RetentionSettings,
  now_ms: number,
): Promise<DatabaseStatistics> {
  const now = fromMillis(now_ms)
  const states = await selectPartitions(pool)
  const { database_bytes, tables } = await withClient(pool, selectTables)
  const plan = planRetention(states, settings, now)
  const by_table = Map.groupBy(states, ({ table_name }) => table_name as string)
  return {
    database_bytes,
    tables: tables.map((table) => withPartitions(table, by_table.get(table.table_name) ?? [], now)),
    retention: outlookOf(plan, states, now),
  }
}

interface TableSize {
  readonly table_name: string
  readonly byte_count: number
  readonly index_bytes: number
  readonly row_count: number
}

/**
 * Each size is read under a lock of its own that ends with it: there may be thousands of them.
 * Rows: reltuples is from the last analyze, and n_live_tup starts anew after a crash of Postgres.
 */
const TABLE_SIZES = `
with parts as (
  select coalesce(i.inhparent, c.oid) as parent, c.oid,
    greatest(c.reltuples, s.n_live_tup, 0) as row_count
  from pg_class c left join pg_inherits i on i.inhrelid = c.oid
  left join pg_stat_all_tables s on s.relid = c.oid
  where c.relnamespace = 'marketdata'::regnamespace and c.relkind = 'r'
)
select t.relname as table_name,
  coalesce(sum(pg_total_relation_size(p.oid)), 0)::float8 as byte_count,
  coalesce(sum(pg_indexes_size(p.oid)), 0)::float8 as index_bytes,
  coalesce(sum(p.row_count), 0)::float8 as row_count
from pg_class t left join parts p on p.parent = t.oid
where t.relnamespace = 'marketdata'::regnamespace and t.relkind in ('r', 'p')
  and not t.relispartition
group by t.relname order by byte_count desc, t.relname`

async function selectTables(
  client: Client,
): Promise<{ readonly database_bytes: number; readonly tables: readonly TableSize[] }> {
  const database = await client.query<{ bytes: number }>(
    'select pg_database_size(current_database())::float8 as bytes',
  )
  const { rows: tables } = await client.query<TableSize>(TABLE_SIZES)
  return { database_bytes: database.rows[0]!.bytes, tables }
}

function withPartitions(
  table: TableSize,
  states: readonly PartitionState[],
  now: Micros,
): TableStatistics {
  const first = states.reduce<Micros | undefined>(
    (least, { from }) => (least === undefined || from < least ? from : least),
    undefined,
  )
  const last = states.reduce<Micros | undefined>(
    (greatest, { to }) => (greatest === undefined || to > greatest ? to : greatest),
    undefined,
  )
  return {
    ...table,
    partition_count: states.length,
    from: first === undefined ? null : toIso(first),
    to: last === undefined ? null : toIso(last),
    bytes_per_hour: growthOf(states, now),
  }
}

function growthOf(states: readonly PartitionState[], now: Micros): number | null {
  const ended = states.filter(({ to }) => to <= now && to > now - DAY_US)
  if (ended.length === 0) return null
  const bytes = ended.reduce((sum, { byte_count }) => sum + byte_count, 0)
  const hours = ended.reduce((sum, { from, to }) => sum + (to - from) / HOUR_US, 0)
  return bytes / hours
}

function outlookOf(
  { partitions, used_bytes, budget_bytes }: RetentionPlan,
  states: readonly PartitionState[],
  now: Micros,
): RetentionOutlook {
  const hourly = states.filter(({ from, to }) => to - from === HOUR_US)
  const tables = [...Map.groupBy(hourly, ({ table_name }) => table_name).values()]
  const bytes_per_hour = tables.reduce((sum, table) => sum + (growthOf(table, now) ?? 0), 0)
  const is_known = budget_bytes > 0 && bytes_per_hour > 0
  const drops = partitions.flatMap(({ state, fate }) =>
    fate.kind === 'drop' ? [{ reason: fate.reason, byte_count: state.byte_count }] : [],
  )
  return {
    used_bytes,
    budget_bytes,
    budget_left_h: is_known ? Math.max(0, budget_bytes - used_bytes) / bytes_per_hour : null,
    drops: [...Map.groupBy(drops, ({ reason }) => reason)].map(([reason, group]) => ({
      reason,
      partition_count: group.length,
      byte_count: group.reduce((sum, { byte_count }) => sum + byte_count, 0),
    })),
  }
}
