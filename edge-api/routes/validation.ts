/** GET /v1/validation : the newest report of the checks that jobs run every five minutes. */
import { createRoute } from '@hono/zod-openapi'
import { micros } from '#core/time.ts'
import { REPORT_EVERY_S, REPORT_STALE_S } from '#core/validation.ts'
import { cacheFor, type App, type Deps } from '../deps.ts'
import { Problem } from '../problem.ts'
import { query } from '../schemas/parameters.ts'
import { ValidationReport } from '../schemas/validation-schema.ts'
import { LIST_BYTES } from '../tables/page-size.ts'
import { ageMs } from '../formats/age.ts'
import { json, problems } from './answers.ts'

export const route = createRoute({
  method: 'get',
  path: '/v1/validation',
  operationId: 'getValidation',
  tags: ['service'],
  summary: 'Whether the recorded data is complete, fresh and plausible',
  description:
    `The newest report of the checks that jobs run every ${REPORT_EVERY_S / 60} minutes: streams ` +
    'that are silent, values that no market has, quote rates against the same hour of the days ' +
    "before, books that are not in sequence, clocks, and yesterday's datasets. `findings` is empty " +
    'if all is well. `is_stale` is true if the checks have not run for more than ' +
    `${REPORT_STALE_S / 60} minutes; what the report says may no longer be true then.`,
  request: { query: query({}) },
  responses: { 200: json(ValidationReport, 'The report.'), ...problems(400, 404, 502, 503) },
})

export function validationRoutes(app: App, deps: Deps): void {
  app.openapi(route, async (c) =>
    deps.memory.run(LIST_BYTES, async () => {
      const report = await deps.validation()
      if (report === undefined) {
        const detail = `Jobs check the data every ${REPORT_EVERY_S / 60} minutes and have not yet.`
        throw new Problem(404, 'no_report', 'There is no report yet.', detail)
      }
      const age_ms = ageMs(micros(Date.parse(report.checked_at) * 1_000), deps.now())
      cacheFor(c, 0)
      return c.json({ ...report, age_ms, is_stale: age_ms > REPORT_STALE_S * 1_000 }, 200)
    }),
  )
}
