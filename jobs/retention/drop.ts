/**
 * Drops one partition, or says why not. Everything that the plan relied on is looked at again under
 * the locks that the drop needs, in the transaction that drops: no row can come in between.
 */
import { OperatorError } from '#core/errors.ts'
import { type Client, inTransaction, type Pool } from '#core/node/pool.ts'
import { RAW_CHANNELS } from '#core/tables.ts'
import { toIso } from '#core/time.ts'
import { hourWindow, type TableHour } from '../archive/records.ts'
import { ARCHIVE_JOB } from '../archive/run-archive.ts'
import { withLock } from '../run.ts'
import type { PartitionState } from './plan.ts'

export type DropOutcome =
  | { readonly kind: 'dropped'; readonly row_count: number }
  | { readonly kind: 'kept'; readonly why: string }

/** Whoever waits for the lock holds up everyone who comes after; a later run tries again. */
const LOCK_LIMIT = '2s'
const COUNT_LIMIT = '10min'
const LOCK_NOT_AVAILABLE = '55P03'

export async function dropPartition(pool: Pool, state: PartitionState): Promise<DropOutcome> {
  const table_name = RAW_CHANNELS.find((name) => name === state.table_name)
  if (table_name === undefined) return attempt(pool, state, (client) => derivedObstacle(client, state))
  const table_hour = { table_name, hour: state.from }
  const result = await withLock(pool, ARCHIVE_JOB, hourWindow(table_hour), () =>
    attempt(pool, state, (client, row_count) => rawObstacle(client, state, table_hour, row_count)),
  )
  return result.kind === 'done' ? result.value : kept('it is being archived')
}

type FindObstacle = (client: Client, row_count: number) => Promise<string | undefined>

async function attempt(
  pool: Pool,
  state: PartitionState,
  findObstacle: FindObstacle,
): Promise<DropOutcome> {
  try {
    return await inTransaction(pool, async (client) => {
      await client.query(`set local statement_timeout = '${COUNT_LIMIT}'`)
      const row_count = await countRows(client, state)
      await client.query(`set local lock_timeout = '${LOCK_LIMIT}'`)
      // The parent first, as everyone does who writes rows.
      await client.query(`lock table only marketdata.${state.table_name} in access exclusive mode`)
      await client.query(`lock table marketdata.${state.partition} in access exclusive mode`)
      const why = await findObstacle(client, row_count)
      if (why !== undefined) throw new Refused(why)
      await client.query(`drop table marketdata.${state.partition}`)
      await noteDropped(client, state)
      return { kind: 'dropped', row_count }
    })
  } catch (error) {
    if (error instanceof Refused) return kept(error.message)
    if ((error as { readonly code?: unknown }).code === LOCK_NOT_AVAILABLE) {
      return kept('others are using the table')
    }
    throw error
  }
}

/** Rolls the transaction back. */
class Refused extends Error {}

function kept(why: string): DropOutcome {
  return { kind: 'kept', why }
}

/** Before the locks, since it may take a while: what comes after it is logged as late. */
async function countRows(client: Client, { partition }: PartitionState): Promise<number> {
  const { rows } = await client.query<{ count: string }>(
    `select count(*) from marketdata.${partition}`,
  )
  return Number(rows[0]!.count)
}

async function rawObstacle(
  client: Client,
  { partition }: PartitionState,
  { table_name, hour }: TableHour,
  row_count: number,
): Promise<string | undefined> {
  const { rows } = await client.query<{ late_count: string; archived_count: string | null }>(
    `select
       (select count(*) from marketdata.invalidations
        where table_name = $1 and lowest >= $2 and lowest < $2::timestamptz + interval '1 hour')
         as late_count,
       (select sum(table_row_count) from (
          select distinct on (exchange) table_row_count from marketdata.archive
          where table_name = $1 and hour = $2 order by exchange, version desc
        ) newest) as archived_count`,
    [table_name, toIso(hour)],
  )
  const { late_count, archived_count } = rows[0]!
  if (Number(late_count) > 0) return 'rows came late that are not archived'
  if (archived_count === null) {
    // Nobody was told to log what comes late into an hour that never was archived.
    const found = await client.query(`select from marketdata.${partition} limit 1`)
    return found.rowCount === 0 ? undefined : 'it has rows that are not archived'
  }
  if (Number(archived_count) === row_count) return undefined
  throw new OperatorError(
    'archive_differs',
    `${partition} has ${row_count} rows; ${archived_count} were compared with the archive.`,
    { hint: `Run \`npx booktape jobs run archive --hour ${toIso(hour).slice(0, 13)}\`.` },
  )
}

async function derivedObstacle(
  client: Client,
  { table_name, from, to }: PartitionState,
): Promise<string | undefined> {
  const { rowCount } = await client.query(
    `select from marketdata.invalidations
     where table_name = $1 and lowest < $3 and greatest >= $2 limit 1`,
    [table_name, toIso(from), toIso(to)],
  )
  return rowCount === 0 ? undefined : 'a rollup has yet to look at late rows'
}

async function noteDropped(client: Client, { table_name, from }: PartitionState): Promise<void> {
  await client.query(
    `update marketdata.archive set dropped_at = coalesce(dropped_at, now()), table_row_count = 0
     where table_name = $1 and hour = $2`,
    [table_name, toIso(from)],
  )
}
