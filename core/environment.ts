/**
 * Reads a program's environment with a zod schema and reports all problems together. Messages never
 * repeat text that may be a secret.
 */
import { z } from 'zod'
import { OperatorError } from './errors.ts'

export type Env = Readonly<Record<string, string | undefined>>

/** Throws OperatorError `bad_config`, which lists each variable with its problem. */
export function readEnvironment<Schema extends z.ZodType>(
  schema: Schema,
  env: unknown,
  subject: string,
  hint: string,
): z.output<Schema> {
  const result = schema.safeParse(env)
  if (result.success) return result.data
  // A variable may hold a list: the path goes on to an element that nobody set under such a name.
  const problems = new Set(
    result.error.issues.map(({ path, message }) => `${String(path[0])} ${message}`),
  )
  throw new OperatorError('bad_config', `${subject}: ${[...problems].join('; ')}.`, { hint })
}

export interface NumberRule {
  readonly min: number
  readonly max: number
  readonly standard: number
  /** What the number counts, for messages: `whole seconds`. */
  readonly what: string
}

/** A number from `min` to `max`, inclusive. */
export function decimal({ min, max, standard, what }: NumberRule) {
  return z
    .string()
    .default(String(standard))
    .transform((text, context) => {
      const value = Number(text)
      if (value >= min && value <= max) return value
      const message = `is '${text}', expected ${what} from ${min} to ${max}`
      context.addIssue({ code: 'custom', message })
      return z.NEVER
    })
}

export function whole(rule: NumberRule) {
  const { min, max, what } = rule
  return decimal(rule).refine(Number.isInteger, {
    error: ({ input }) => `is '${String(input)}', expected ${what} from ${min} to ${max}`,
  })
}

/** Comma-separated names without duplicates. `isName` accepts or rejects each one. */
export function nameList(rule: {
  readonly standard: string
  readonly min: number
  readonly max: number
  readonly isName: (text: string) => boolean
  readonly what: string
}) {
  const { standard, min, max, isName, what } = rule
  return z
    .string()
    .default(standard)
    .transform((text, context): readonly string[] => {
      const names = [...new Set(text.split(',').map((name) => name.trim()))].filter(Boolean)
      if (names.length >= min && names.length <= max && names.every(isName)) return names
      const message = `is '${names.join(',')}', expected ${min} to ${max} ${what}`
      context.addIssue({ code: 'custom', message })
      return z.NEVER
    })
}

/** Text that is not empty. */
export const filled = z.string({ error: 'is missing' }).trim().min(1, { error: 'is missing' })

/** A URL may hold a password, so the message does not repeat it. */
export function urlOf(...schemes: readonly string[]) {
  const expected = schemes.map((scheme) => `${scheme}://`).join(' or ')
  const isUrl = (text: string): boolean =>
    schemes.includes(URL.parse(text)?.protocol.slice(0, -1) ?? '')
  return filled.refine(isUrl, { error: `is not a URL that begins with ${expected}` })
}

/** Variables of a program that works with Postgres and the object store. */
export const SERVICES = {
  DATABASE_URL: urlOf('postgres', 'postgresql'),
  S3_ENDPOINT: urlOf('http', 'https'),
  S3_BUCKET: filled,
  S3_REGION: filled,
  S3_ACCESS_KEY_ID: filled,
  S3_SECRET_ACCESS_KEY: filled,
  WORK_DIR: filled,
}
