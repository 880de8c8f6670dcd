/**
 * Writes one data point for each request to Analytics Engine, if the worker has the binding
 * ANALYTICS. docs/deploy-edge.md lists the columns.
 */
import { OperatorError } from '#core/errors.ts'
import type { RequestFacts } from './request-facts.ts'

/** The part of a dataset that is used. */
interface Dataset {
  writeDataPoint(point: {
    readonly indexes: readonly [string]
    readonly blobs: readonly string[]
    readonly doubles: readonly number[]
  }): void
}

/**
 * Never throws, and nor does the function that it returns: metrics must not fail a request. A wrong
 * binding and the first error of the isolate are reported.
 */
export function createAnalytics(
  env: unknown,
  report: (error: unknown) => void,
): (request: RequestFacts) => void {
  const dataset = (env as Readonly<Record<string, unknown>>)['ANALYTICS'] as Dataset | undefined
  if (dataset === undefined) return () => undefined
  let has_failed = false
  return (request) => {
    try {
      dataset.writeDataPoint(pointOf(request))
    } catch (cause) {
      if (!has_failed) report(notWritten(cause))
      has_failed = true
    }
  }
}

function pointOf(request: RequestFacts): Parameters<Dataset['writeDataPoint']>[0] {
  const { route, method, status, code, cache, source, duration_ms, bytes } = request
  return {
    // What Analytics Engine samples by, so that rare routes are not lost.
    indexes: [route],
    blobs: [route, method, String(status), code, cache, source],
    doubles: [duration_ms, bytes],
  }
}

function notWritten(cause: unknown): OperatorError {
  return new OperatorError('analytics_failed', 'Requests are not written to Analytics Engine.', {
    hint: 'ANALYTICS must be an Analytics Engine dataset: docs/deploy-edge.md.',
    cause,
  })
}
