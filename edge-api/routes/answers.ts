/** How answers are declared in the OpenAPI document. */
import { z } from '@hono/zod-openapi'
import { MEDIA_TYPES } from '../formats/format.ts'
import { ProblemDocument } from '../schemas/schemas.ts'

export function json<S extends z.ZodType>(schema: S, description: string) {
  return { description, content: { 'application/json': { schema } } }
}

/** The same page in every form of ../formats/format.ts. */
export function page<S extends z.ZodType>(schema: S, description: string) {
  return {
    description: `${description} The Link header names the next page (rel="next") in every form.`,
    content: {
      [MEDIA_TYPES.json]: { schema },
      [MEDIA_TYPES.ndjson]: { schema: lines('One JSON object a row, as in `rows`.') },
      [MEDIA_TYPES.csv]: { schema: lines('A line of names, then one line a row; empty is null.') },
      [MEDIA_TYPES.arrow]: {
        schema: z.string().openapi({
          format: 'binary',
          description: 'Arrow IPC stream; prices and quantities are doubles there.',
        }),
      },
    },
  }
}

const lines = (description: string) => z.string().openapi({ description })

const PROBLEMS = {
  400: 'A parameter is not allowed; `errors` says which and what is.',
  401: 'There is no token, or none that is good.',
  403: 'The token lacks the scope.',
  404: 'There is no such thing.',
  406: 'There is no such form of the answer.',
  429: 'Too many requests; Retry-After says when to ask again.',
  502: 'The object store or the gateway gave an answer that cannot be used.',
  503:
    'The database or the object store does not answer, or too many large answers are being ' +
    'made; Retry-After says when to ask again.',
} as const

/** What the guard before every route may answer (../access/guard.ts). */
const GUARD = [401, 403, 429] as const

/** The problem documents that a route may answer, and those of the guard. */
export function problems<const S extends readonly (keyof typeof PROBLEMS)[]>(...statuses: S) {
  return Object.fromEntries(
    [...statuses, ...GUARD].map((status) => [
      status,
      {
        description: PROBLEMS[status],
        content: { 'application/problem+json': { schema: ProblemDocument } },
      },
    ]),
  )
}
