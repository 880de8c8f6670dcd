/** GET /v1/jobs : what the jobs did lately. */
import { createRoute } from '@hono/zod-openapi'
import { toIso } from '#core/time.ts'
import { cacheFor, type App, type Deps } from '../deps.ts'
import { jobQuery, limitQuery, query, statusQuery } from '../parameters.ts'
import { JobRunList } from '../schemas.ts'
import { json, problems } from './answers.ts'

const route = createRoute({
  method: 'get',
  path: '/v1/jobs',
  operationId: 'listJobRuns',
  tags: ['service'],
  summary: 'Runs of jobs, newest first',
  request: { query: query({ job: jobQuery, status: statusQuery, limit: limitQuery(1_000, 100) }) },
  responses: { 200: json(JobRunList, 'Runs.'), ...problems(400, 502, 503) },
})

export function jobRoutes(app: App, deps: Deps): void {
  app.openapi(route, async (c) => {
    const { job = null, status = null, limit } = c.req.valid('query')
    const rows = await deps.jobRuns({ job, status, limit })
    cacheFor(c, 0)
    const runs = rows.map((row) => ({
      ...row,
      started_at: toIso(row.started_at),
      finished_at: row.finished_at === null ? null : toIso(row.finished_at),
    }))
    return c.json({ runs }, 200)
  })
}
