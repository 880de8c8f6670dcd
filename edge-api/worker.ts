/** Entry point on Cloudflare: one app per isolate; errors go to the log. */
import { fromMillis } from '#core/time.ts'
import { accessBindings } from './access/bindings.ts'
import { composeApp } from './compose.ts'
import type { App } from './deps.ts'
import { Problem, problemResponse } from './problem.ts'
import { createAnalytics } from './telemetry/analytics.ts'
import { logError, logRequest } from './telemetry/log.ts'
import { NOTHING_KNOWN, type RequestFacts } from './telemetry/request-facts.ts'

let app: App | undefined
let writePoint: ((request: RequestFacts) => void) | undefined

export default {
  async fetch(request, env, context) {
    const write = (writePoint ??= createAnalytics(env, logError))
    try {
      app ??= composeApp(env, {
        now: () => fromMillis(Date.now()),
        report: logError,
        note(facts, slow_ms) {
          write(facts)
          logRequest(facts, slow_ms)
        },
        cache: caches.default,
        access: accessBindings(env),
        open_body: (byte_count) => new FixedLengthStream(byte_count),
      })
    } catch (error) {
      const problem = new Problem(
        500,
        'bad_config',
        'This service is not configured correctly.',
        'Its log names the missing or wrong settings.',
      )
      const facts = { ...NOTHING_KNOWN, status: problem.status, code: problem.code }
      logError(error, facts)
      write(facts)
      return problemResponse(problem, request.url)
    }
    return app.fetch(request, {}, context)
  },
} satisfies ExportedHandler
