/** How answers are declared in the OpenAPI document. */
import type { z } from '@hono/zod-openapi'
import { ProblemDocument } from '../schemas.ts'

export function json<S extends z.ZodType>(schema: S, description: string) {
  return { description, content: { 'application/json': { schema } } }
}

const PROBLEMS = {
  400: 'A parameter is not allowed; `errors` says which and what is.',
  404: 'There is no such thing.',
  502: 'The object store or the gateway gave an answer that cannot be used.',
  503: 'The database or the object store does not answer; Retry-After says when to ask again.',
} as const

/** The problem documents that a route may answer. */
export function problems<const S extends readonly (keyof typeof PROBLEMS)[]>(...statuses: S) {
  return Object.fromEntries(
    statuses.map((status) => [
      status,
      {
        description: PROBLEMS[status],
        content: { 'application/problem+json': { schema: ProblemDocument } },
      },
    ]),
  )
}
