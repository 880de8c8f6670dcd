/** One run of a job with its log. */
import type { Database } from './database.ts'
import type { JobRunRow } from './job-runs.ts'

export interface JobLogRow extends JobRunRow {
  /** The newest lines of the log, oldest first. */
  readonly log_lines: readonly Readonly<Record<string, unknown>>[]
  readonly line_count: number
}

const LINES_MAX = 1_000
/** Total text of the lines; a single line can be long. */
const LINES_BYTES_MAX = 1 << 20
/** An error can be a page of text. */
const ERROR_CHARS_MAX = 10_000

// Unpacks the log once. A condition on log_lines would unpack the whole log again for each line.
const SQL = `
with lines as materialized (
  select line, place
  from marketdata.job_runs, jsonb_array_elements(log_lines) with ordinality as l (line, place)
  where id = $1::bigint
), newest as (
  select line, place, row_number() over back as count,
    sum(octet_length(line::text)) over back as bytes
  from lines
  window back as (order by place desc)
)
select r.id, r.job, r.job_window, r.status, r.attempt, r.started_at, r.finished_at, r.row_count,
  r.byte_count, left(r.error, ${ERROR_CHARS_MAX}) as error,
  (select count(*) from lines) as line_count,
  coalesce((
    select jsonb_agg(line order by place) from newest
    where count <= ${LINES_MAX} and bytes <= ${LINES_BYTES_MAX}
  ), '[]') as log_lines
from marketdata.job_runs r
where r.id = $1::bigint`

export async function selectJobLog(db: Database, id: number): Promise<JobLogRow | undefined> {
  const [row] = await db.query<JobLogRow>(SQL, [id])
  return row
}
