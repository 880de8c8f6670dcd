/** Declares answers in the OpenAPI document. */
import { z } from '@hono/zod-openapi'
import { MEDIA_TYPES } from '../formats/format.ts'
import { ProblemDocument } from '../schemas/schemas.ts'

export function json<S extends z.ZodType>(schema: S, description: string) {
  return { description, content: { 'application/json': { schema } } }
}

/** A page of rows, in every format of ../formats/format.ts. */
export function page<S extends z.ZodType>(schema: S, description: string) {
  return {
    description: `${description} In every format the Link header (rel="next") names the next page.`,
    content: {
      [MEDIA_TYPES.json]: { schema },
      [MEDIA_TYPES.ndjson]: { schema: lines('One line per row: a JSON object as in `rows`.') },
      [MEDIA_TYPES.csv]: {
        schema: lines('A header line, then one line per row. An empty field is null.'),
      },
      [MEDIA_TYPES.arrow]: {
        schema: z.string().openapi({
          format: 'binary',
          description: 'Arrow IPC stream, with prices and quantities as doubles.',
        }),
      },
    },
  }
}

const lines = (description: string) => z.string().openapi({ description })

const PROBLEMS = {
  400: 'A parameter is not allowed. `errors` names it and says what is allowed.',
  401: 'The token is missing, invalid, expired or revoked.',
  403: 'The token lacks the required scope.',
  404: 'Not found.',
  406: 'This route does not support the requested format.',
  429: 'Too many requests. Retry-After says when to try again.',
  502: 'The object store or the gateway refused this service, or stored data is corrupt.',
  503:
    'The database or the object store does not respond, or this service is overloaded. ' +
    'Retry-After says when to try again.',
} as const

/** Statuses from the guard, which runs before every route (../access/guard.ts). */
const GUARD = [401, 403, 429] as const

/** Problem documents with these statuses, and with those of the guard. */
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
