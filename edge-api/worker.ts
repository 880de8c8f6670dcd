/** Entry point on Cloudflare: one app per isolate; errors go to the log. */
import { describeError } from '#core/errors.ts'
import { fromMillis } from '#core/time.ts'
import { accessBindings } from './access/bindings.ts'
import { composeApp } from './compose.ts'
import type { App } from './deps.ts'
import { Problem, problemResponse } from './problem.ts'

let app: App | undefined

export default {
  async fetch(request, env, context) {
    try {
      app ??= composeApp(env, {
        now: () => fromMillis(Date.now()),
        report,
        cache: caches.default,
        access: accessBindings(env),
        open_body: (byte_count) => new FixedLengthStream(byte_count),
      })
    } catch (error) {
      report(error)
      const problem = new Problem(
        500,
        'bad_config',
        'This service is not configured correctly.',
        'Its log names the missing or wrong settings.',
      )
      return problemResponse(problem, request.url)
    }
    return app.fetch(request, {}, context)
  },
} satisfies ExportedHandler

/** The console is a worker's log: one JSON line per error. Overload is only a warning. */
function report(error: unknown): void {
  const level = error instanceof Problem && error.code === 'too_busy' ? 'warn' : 'error'
  console[level](JSON.stringify({ level, program: 'edge-api', error: describeError(error) }))
}
