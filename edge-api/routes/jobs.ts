/** GET /v1/jobs and /v1/jobs/{id} : recent job runs, and the log of one run. */
import { createRoute } from '@hono/zod-openapi'
import { toIso } from '#core/time.ts'
import { cacheFor, type App, type Deps } from '../deps.ts'
import { Problem } from '../problem.ts'
import type { JobRunRow } from '../queries/job-runs.ts'
import { jobQuery, limitQuery, query, runPath, statusQuery } from '../schemas/parameters.ts'
import { JobRunList, JobRunLog } from '../schemas/schemas.ts'
import { LIST_BYTES } from '../tables/page-size.ts'
import { json, problems } from './answers.ts'

export const list = createRoute({
  method: 'get',
  path: '/v1/jobs',
  operationId: 'listJobRuns',
  tags: ['service'],
  summary: 'Job runs, newest first',
  description: 'Errors are cut to 500 characters. /v1/jobs/{id} has the whole error.',
  request: { query: query({ job: jobQuery, status: statusQuery, limit: limitQuery(1_000, 100) }) },
  responses: { 200: json(JobRunList, 'Runs.'), ...problems(400, 502, 503) },
})

export const log = createRoute({
  method: 'get',
  path: '/v1/jobs/{id}',
  operationId: 'getJobRun',
  tags: ['service'],
  summary: 'A job run with its log',
  description:
    'The log is limited to its newest 1,000 lines, and to a megabyte. `line_count` is the number ' +
    'of lines of the whole log.',
  request: { params: runPath, query: query({}) },
  responses: { 200: json(JobRunLog, 'The run.'), ...problems(400, 404, 502, 503) },
})

export function jobRoutes(app: App, deps: Deps): void {
  app.openapi(list, async (c) => {
    const { job = null, status = null, limit } = c.req.valid('query')
    return deps.memory.run(LIST_BYTES, async () => {
      const rows = await deps.jobRuns({ job, status, limit })
      cacheFor(c, 0)
      return c.json({ runs: rows.map((row) => ({ ...row, ...timesOf(row) })) }, 200)
    })
  })

  app.openapi(log, async (c) => {
    const { id } = c.req.valid('param')
    return deps.memory.run(LIST_BYTES, async () => {
      const row = await deps.jobLog(id)
      if (row === undefined) {
        const detail = `No run has the id ${id}. /v1/jobs lists the newest runs.`
        throw new Problem(404, 'unknown_run', 'The run is unknown.', detail)
      }
      cacheFor(c, 0)
      return c.json({ ...row, ...timesOf(row), log_lines: [...row.log_lines] }, 200)
    })
  })
}

function timesOf(row: JobRunRow) {
  return {
    started_at: toIso(row.started_at),
    finished_at: row.finished_at === null ? null : toIso(row.finished_at),
  }
}
