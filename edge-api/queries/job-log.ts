/** One run of a job with its log. */
import type { Database } from './database.ts'
import type { JobRunRow } from './job-runs.ts'

export interface JobLogRow extends JobRunRow {
  /** Its newest lines, oldest first. */
  readonly log_lines: readonly Readonly<Record<string, unknown>>[]
  readonly line_count: number
}

const LINES_MAX = 1_000
/** Of their text; a line holds whatever a job found worth saying. */
const LINES_BYTES_MAX = 1 << 20
/** Of an error, where one may be a page of text. */
const ERROR_CHARS_MAX = 10_000

// The log is unpacked once. A condition that names log_lines would unpack all of it for each line.
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
