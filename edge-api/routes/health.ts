/** GET /health : whether the database and the object store respond, and whether data arrives. */
import { createRoute } from '@hono/zod-openapi'
import { HOUR_US, micros, toIso, type Micros } from '#core/time.ts'
import { cacheFor, type App, type Deps } from '../deps.ts'
import { query } from '../schemas/parameters.ts'
import { Health } from '../schemas/schemas.ts'
import { ageMs } from '../formats/age.ts'
import { json, problems } from './answers.ts'

export const route = createRoute({
  method: 'get',
  path: '/health',
  operationId: 'health',
  tags: ['service'],
  summary: 'Whether the database and the object store respond, and the age of the newest quote',
  description: '503 if one of them does not respond.',
  request: { query: query({}) },
  responses: { 200: json(Health, 'Both respond.'), ...problems(400, 502, 503) },
})

/** Tried in order: the short span reads only one or two partitions per instrument. */
const LOOK_BACK_US = [HOUR_US, 24 * HOUR_US] as const

export function healthRoutes(app: App, deps: Deps): void {
  app.openapi(route, async (c) => {
    const now = deps.now()
    const [newest] = await Promise.all([newestQuoteTime(deps, now), deps.checkStore()])
    cacheFor(c, 0)
    const newest_quote =
      newest === null ? null : { ts_exchange: toIso(newest), age_ms: ageMs(newest, now) }
    return c.json({ status: 'ok' as const, newest_quote }, 200)
  })
}

async function newestQuoteTime(deps: Deps, now: Micros): Promise<Micros | null> {
  for (const span_us of LOOK_BACK_US) {
    const newest = await deps.newestQuoteTime(micros(now - span_us))
    if (newest !== null) return newest
  }
  return null
}
