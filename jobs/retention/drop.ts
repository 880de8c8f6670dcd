/**
 * Drops one partition, or says why not. Everything that the plan relied on is checked again in the
 * dropping transaction, under its locks, so that no row can arrive in between.
 */
import { OperatorError } from '#core/errors.ts'
import { type Client, inTransaction, type Pool } from '#core/node/pool.ts'
import { HOUR_US, toIso } from '#core/time.ts'
import { hourWindow } from '../archive/records.ts'
import { ARCHIVE_JOB } from '../archive/run-archive.ts'
import { withLock } from '../runs/run.ts'
import type { PartitionState } from './retention-plan.ts'

export type DropOutcome =
  | { readonly kind: 'dropped'; readonly row_count: number }
  | { readonly kind: 'kept'; readonly why: string }

/** A session that waits for this lock blocks all later ones; a later run tries again. */
const LOCK_LIMIT = '2s'
const COUNT_LIMIT = '10min'
const LOCK_NOT_AVAILABLE = '55P03'

export async function dropPartition(pool: Pool, state: PartitionState): Promise<DropOutcome> {
  const { table_name, from } = state
  // A day's hours are archived one by one, and each one checks where its rows are.
  if (holdsDay(state)) return attempt(pool, state)
  const window = hourWindow({ table_name, hour: from })
  const result = await withLock(pool, ARCHIVE_JOB, window, () => attempt(pool, state))
  return result.kind === 'done' ? result.value : kept('it is being archived')
}

function holdsDay({ from, to }: PartitionState): boolean {
  return to - from > HOUR_US
}

async function attempt(pool: Pool, state: PartitionState): Promise<DropOutcome> {
  try {
    return await inTransaction(pool, async (client) => {
      await client.query(`set local statement_timeout = '${COUNT_LIMIT}'`)
      const row_count = await countRows(client, state)
      await client.query(`set local lock_timeout = '${LOCK_LIMIT}'`)
      // The parent first, in the same order as every writer.
      await client.query(`lock table only marketdata.${state.table_name} in access exclusive mode`)
      await client.query(`lock table marketdata.${state.partition} in access exclusive mode`)
      const why = await findObstacle(client, state, row_count)
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

/** Runs before the locks, since it may take a while. Rows that arrive later are logged as late. */
async function countRows(client: Client, { partition }: PartitionState): Promise<number> {
  const { rows } = await client.query<{ count: string }>(
    `select count(*) from marketdata.${partition}`,
  )
  return Number(rows[0]!.count)
}

async function findObstacle(
  client: Client,
  state: PartitionState,
  row_count: number,
): Promise<string | undefined> {
  const { table_name, partition, from, to } = state
  const { rows } = await client.query<{ late_for: string | null; archived_count: string | null }>(
    `select
       (select min(consumer) from marketdata.invalidations
        where table_name = $1 and lowest < $3 and greatest >= $2
           and consumer not in ('features', 'clusters', 'signals')) as late_for,
       (select sum(table_row_count) from (
          select distinct on (exchange, hour) table_row_count from marketdata.archive
          where table_name = $1 and hour >= $2 and hour < $3
          order by exchange, hour, version desc
        ) newest) as archived_count`,
    [table_name, toIso(from), toIso(to)],
  )
  const { late_for, archived_count } = rows[0]!
  if (late_for === 'archive') return 'it has late rows that are not archived'
  if (late_for !== null) return 'a rollup has not processed its late rows yet'
  if (archived_count === null) {
    // An hour that was never archived has no threshold, so its late rows were not logged.
    const found = await client.query(`select from marketdata.${partition} limit 1`)
    return found.rowCount === 0 ? undefined : 'it has rows that are not archived'
  }
  if (Number(archived_count) === row_count) return undefined
  // Another hour of the day has not been archived yet.
  if (holdsDay(state) && Number(archived_count) < row_count) {
    return `${archived_count} of its ${row_count} rows are archived`
  }
  throw new OperatorError(
    'archive_differs',
    `${partition} has ${row_count} rows, but ${archived_count} were compared with the archive.`,
    { hint: `Run \`npx booktape jobs run archive --date ${toIso(from).slice(0, 10)}\`.` },
  )
}

async function noteDropped(
  client: Client,
  { table_name, from, to }: PartitionState,
): Promise<void> {
  await client.query(
    `update marketdata.archive set dropped_at = coalesce(dropped_at, now()), table_row_count = 0
     where table_name = $1 and hour >= $2 and hour < $3`,
    [table_name, toIso(from), toIso(to)],
  )
}
