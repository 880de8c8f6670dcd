/** Job runs, newest first. Their logs are not read, because they can be long. */
import type { Micros } from '#core/time.ts'
import type { Database } from './database.ts'

export interface JobRunRow {
  readonly id: number
  readonly job: string
  readonly job_window: string
  readonly status: 'running' | 'done' | 'failed'
  readonly attempt: number
  readonly started_at: Micros
  readonly finished_at: Micros | null
  readonly row_count: number | null
  readonly byte_count: number | null
  readonly error: string | null
}

export interface JobRunsArgs {
  readonly job: string | null
  readonly status: JobRunRow['status'] | null
  readonly limit: number
}

/** Keeps the longest list at about 1 MB. job-log.ts reads more of the error. */
const ERROR_CHARS_MAX = 500

const SQL = `
select id, job, job_window, status, attempt, started_at, finished_at, row_count, byte_count,
  left(error, ${ERROR_CHARS_MAX}) as error
from marketdata.job_runs
where ($1::text is null or job = $1) and ($2::text is null or status = $2)
order by id desc
limit $3::int`

export function selectJobRuns(db: Database, args: JobRunsArgs): Promise<readonly JobRunRow[]> {
  return db.query(SQL, [args.job, args.status, args.limit])
}
