/** The newest rows of marketdata.job_runs, without their logs. */
import type { Pool } from '#core/node/pool.ts'

export interface JobRun {
  readonly job: string
  readonly job_window: string
  readonly status: 'running' | 'done' | 'failed'
  readonly attempt: number
  readonly started_at: Date
  /** Null while it runs. */
  readonly elapsed_s: number | null
  /** Decimal text, because Postgres returns bigint as text. */
  readonly row_count: string | null
  readonly byte_count: string | null
  readonly error: string | null
}

export async function selectRuns(pool: Pool, limit: number): Promise<readonly JobRun[]> {
  const { rows } = await pool.query<JobRun>(
    `select job, job_window, status, attempt, started_at,
       extract(epoch from finished_at - started_at)::float8 as elapsed_s,
       row_count, byte_count, error
     from marketdata.job_runs order by started_at desc, id desc limit $1`,
    [limit],
  )
  return rows
}
