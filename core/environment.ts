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
  // A variable may hold a list: then the path continues to an element, which has no variable.
  const problems = new Set(
    result.error.issues.map(({ path, message }) => `${String(path[0])} ${message}`),
  )
  throw new OperatorError('bad_config', `${subject}: ${[...problems].join('; ')}.`, { hint })
}

export interface NumberRange {
  readonly min: number
  readonly max: number
  /** What the number counts, for messages: `whole seconds`. */
  readonly what?: string
}

export interface NumberRule extends NumberRange {
  readonly standard: number
}

const DECIMAL = /^\d{1,16}(\.\d{1,16})?$/
const WHOLE = /^\d{1,16}$/
const PLAIN = /^[\w.+-]{0,20}$/

/** A number from `min` to `max`, inclusive, in decimal digits. */
export const decimal = (rule: NumberRule) => optionalDecimal(rule).default(rule.standard)
/** A whole number from `min` to `max`, inclusive, in decimal digits. */
export const whole = (rule: NumberRule) => optionalWhole(rule).default(rule.standard)
/** Undefined if the variable is not set. */
export const optionalDecimal = (range: NumberRange) => numberIn(DECIMAL, 'a number', range)
/** Undefined if the variable is not set. */
export const optionalWhole = (range: NumberRange) => numberIn(WHOLE, 'a whole number', range)

function numberIn(form: RegExp, kind: string, { min, max, what = kind }: NumberRange) {
  const error = ({ input }: { readonly input?: unknown }): string =>
    `${found(input)}must be ${what} from ${min} to ${max}`
  return z
    .string({ error })
    .regex(form, { error })
    .transform(Number)
    .refine((value) => value >= min && value <= max, { error })
    .optional()
}

/** One of the words. */
export function oneOf<const Word extends string>(words: readonly Word[], standard: Word) {
  const error = ({ input }: { readonly input?: unknown }): string =>
    `${found(input)}must be ${listed(words)}`
  return z.enum(words, { error }).default(standard)
}

/** Says what was set, if it is a short word or number and cannot be a secret in the wrong place. */
function found(input: unknown): string {
  const is_plain = typeof input === 'number' || (typeof input === 'string' && PLAIN.test(input))
  return is_plain ? `is '${input}', but ` : ''
}

/** `a, b or c` */
function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
}

/** The parts of a comma-separated list, without duplicates. */
export const list = (text: string): readonly string[] => [
  ...new Set(
    text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== ''),
  ),
]

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
      const names = list(text)
      if (names.length >= min && names.length <= max && names.every(isName)) return names
      const message = `must be a comma-separated list of ${min} to ${max} ${what}`
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
  return filled.refine(isUrl, { error: `must be a URL that begins with ${expected}` })
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

type ObjectStoreVariable = Exclude<keyof typeof SERVICES, 'DATABASE_URL' | 'WORK_DIR'>

/** The object store's part of a configuration. */
export function objectStoreOf(read: Readonly<Record<ObjectStoreVariable, string>>) {
  return Object.freeze({
    endpoint: read.S3_ENDPOINT,
    bucket: read.S3_BUCKET,
    region: read.S3_REGION,
    access_key_id: read.S3_ACCESS_KEY_ID,
    secret_access_key: read.S3_SECRET_ACCESS_KEY,
  })
}
