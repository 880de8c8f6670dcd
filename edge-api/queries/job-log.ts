/** One run of a job with its log. */
import type { Database } from './database.ts'
import type { JobRunRow } from './job-runs.ts'

export interface JobLogRow extends JobRunRow {
  /** Its newest lines, oldest first. */
  readonly log_lines: readonly Readonly<Record<string, unknown>>[]
  readonly line_count: number
}

const LINES_MAX = 1_000

const SQL = `
select id, job, job_window, status, attempt, started_at, finished_at, row_count, byte_count, error,
  jsonb_array_length(log_lines) as line_count,
  coalesce((
    select jsonb_agg(line order by place)
    from jsonb_array_elements(log_lines) with ordinality as lines (line, place)
    where place > jsonb_array_length(log_lines) - ${LINES_MAX}
  ), '[]') as log_lines
from marketdata.job_runs
where id = $1::bigint`

export async function selectJobLog(db: Database, id: number): Promise<JobLogRow | undefined> {
  const [row] = await db.query<JobLogRow>(SQL, [id])
  return row
}
