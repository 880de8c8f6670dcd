/**
 * Reads the state of Postgres: tables with their partitions, growth, what retention would drop, and
 * the archive.
 */
import type { Pool } from '#core/node/pool.ts'
import { fromMillis, HOUR_US, hourStart, micros, toIso } from '#core/time.ts'
import { selectPartitions } from '../../../jobs/retention/partitions.ts'
import {
  type PartitionState,
  planRetention,
  type RetentionPlan,
} from '../../../jobs/retention/retention-plan.ts'
import type { RetentionSettings } from '../../../jobs/retention/settings.ts'
import type { DatabaseView, DiskView } from '../wire.ts'
import { select, whileThere } from './read.ts'

const ARCHIVE_MS = 20_000

/** The plan of retention as of now. Only the job `retention` carries it out. */
export function readRetentionPlan(
  pool: Pool,
  settings: RetentionSettings,
  now_ms: number,
): Promise<RetentionPlan> {
  return whileThere(async () =>
    planRetention(await selectPartitions(pool), settings, fromMillis(now_ms)),
  )
}

/** `bytes_per_hour`: as measured; null: not yet. */
export async function readDisk(
  pool: Pool,
  plan: RetentionPlan,
  bytes_per_hour: number | null,
  now_ms: number,
): Promise<DiskView> {
  const [row] = await select<{ bytes: number }>(
    pool,
    'select pg_database_size(current_database())::float8 as bytes',
  )
  const { used_bytes, budget_bytes } = plan
  const left_bytes = budget_bytes - used_bytes
  const growth = bytes_per_hour ?? 0
  const is_coming = budget_bytes > 0 && left_bytes > 0 && growth > 0
  return {
    database_bytes: row!.bytes,
    used_bytes,
    budget_bytes,
    bytes_per_hour,
    budget_in_s: is_coming ? (left_bytes / growth) * 3_600 : null,
    measured_at: new Date(now_ms).toISOString(),
  }
}

export async function readDatabase(
  pool: Pool,
  settings: RetentionSettings,
  now_ms: number,
): Promise<DatabaseView> {
  const [server] = await select<{
    version: string
    bytes: number
    connection_count: number
    connection_limit: number
  }>(
    pool,
    `select current_setting('server_version') as version,
       pg_database_size(current_database())::float8 as bytes,
       (select count(*)::int from pg_stat_activity where backend_type = 'client backend')
         as connection_count,
       current_setting('max_connections')::int as connection_limit`,
  )
  const tables = await select<TableRow>(pool, TABLES)
  const archive = await select<DatabaseView['archive'][number]>(pool, ARCHIVE, [], ARCHIVE_MS)
  const plan = await readRetentionPlan(pool, settings, now_ms)
  const states = plan.partitions.map(({ state }) => state)
  return {
    measured_at: new Date(now_ms).toISOString(),
    version: server!.version,
    database_bytes: server!.bytes,
    connections: { used: server!.connection_count, limit: server!.connection_limit },
    tables: tables.map((table) => tableOf(table, states, now_ms)),
    retention: {
      used_bytes: plan.used_bytes,
      budget_bytes: plan.budget_bytes,
      partitions: plan.partitions.map(({ state, fate }) => ({
        partition: state.partition,
        table_name: state.table_name,
        from: toIso(state.from),
        bytes: state.byte_count,
        is_dropped: fate.kind === 'drop',
        reason: fate.reason,
      })),
    },
    archive,
  }
}

interface TableRow {
  readonly name: string
  readonly bytes: number
  readonly partition_count: number
  readonly row_estimate: number
}

function tableOf(
  table: TableRow,
  states: readonly PartitionState[],
  now_ms: number,
): DatabaseView['tables'][number] {
  const own = states.filter(({ table_name }) => table_name === table.name)
  const last_hour = hourStart(fromMillis(now_ms)) - HOUR_US
  const whole = own.filter(({ from, to }) => from === last_hour && to - from === HOUR_US)
  const edges = own.map(({ from }) => from)
  return {
    ...table,
    oldest: edges.length === 0 ? null : toIso(micros(Math.min(...edges))),
    newest: edges.length === 0 ? null : toIso(micros(Math.max(...edges))),
    hour_bytes:
      whole.length === 0 ? null : whole.reduce((sum, { byte_count }) => sum + byte_count, 0),
  }
}

/**
 * Counts partitions with their table. Locks each relation only while its size is read. Rows:
 * reltuples is from the last analyze, and n_live_tup starts anew after a crash of Postgres.
 */
const TABLES = `
  select coalesce(parent.relname, c.relname) as name,
    sum(pg_total_relation_size(c.oid))::float8 as bytes,
    count(parent.oid)::int as partition_count,
    sum(greatest(c.reltuples, s.n_live_tup, 0))::float8 as row_estimate
  from pg_class c
  left join pg_stat_all_tables s on s.relid = c.oid
  left join pg_inherits i on i.inhrelid = c.oid
  left join pg_class parent on parent.oid = i.inhparent
  where c.relnamespace = to_regnamespace('marketdata') and c.relkind = 'r'
  group by 1 order by bytes desc, name`

const ARCHIVE = `
  select exchange, table_name, count(distinct hour)::int as hour_count,
    count(*)::int as version_count, max(version)::int as version_max,
    sum(row_count) filter (where is_newest)::float8 as row_count,
    sum(byte_count)::float8 as bytes, max(hour) as newest_hour
  from (
    select a.*, version = max(version) over (partition by exchange, table_name, hour) as is_newest
    from marketdata.archive a
  ) versions
  group by exchange, table_name order by exchange, table_name`
