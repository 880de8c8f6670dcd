/**
 * Request parameters: how each is parsed, what it allows and how the docs describe it. The message
 * of every check completes "<name> must be …", so a 400 tells the caller what is allowed.
 */
import { z, type Hook } from '@hono/zod-openapi'
import type { Env } from 'hono'
import { CHANNELS } from '#core/market.ts'
import { isDatasetName } from '#core/object-keys.ts'
import { EXCHANGES, isExchange, isSymbolName, SYMBOL_RULE } from '#core/symbols.ts'
import { parseDay, toIso, type Micros, micros } from '#core/time.ts'
import { FORMATS } from '../formats/format.ts'
import { badParameters, found, type ParameterError } from '../problem.ts'
import { decodeCursor, type Cursor, type PartKind } from '../tables/cursor.ts'
import { TIME_RULE, parseTime } from './time-parameter.ts'

const LIMIT_MAX = 10_000
const LIMIT_DEFAULT = 1_000

/** A string that `read` parses; `read` returns undefined if the string is not allowed. */
function text<T>(allowed: string, read: (value: string) => T | undefined): z.ZodType<T, string> {
  return z.string({ error: `given once, as ${allowed}` }).transform((value, context) => {
    const result = read(value)
    if (result !== undefined) return result
    context.addIssue({ code: 'custom', message: allowed })
    return z.NEVER
  })
}

function choice<const T extends string>(values: readonly T[]): z.ZodType<T, string> {
  return text(`one of ${values.join(', ')}`, (value) => values.find((known) => known === value))
}

/** Query parameters of a route; unknown names are refused. */
export function query<Shape extends z.ZodRawShape>(shape: Shape) {
  const names = Object.keys(shape)
  const allowed =
    names.length === 0
      ? 'left out: this route has no parameters'
      : `removed: the parameters of this route are ${names.join(', ')}`
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? allowed : undefined),
  })
}

const symbolName = () =>
  text(`a symbol name of ${SYMBOL_RULE}`, (value) => (isSymbolName(value) ? value : undefined))

export const symbolPath = z.object({
  symbol: symbolName().openapi({
    param: { name: 'symbol', in: 'path' },
    type: 'string',
    example: 'BTCUSDT',
  }),
})

export const SYMBOLS_MAX = 100

export const symbolListQuery = text(
  `1 to ${SYMBOLS_MAX} comma-separated symbol names, each once`,
  (value) => {
    const names = value.split(',')
    const is_list = names.length <= SYMBOLS_MAX && names.every(isSymbolName)
    return is_list && new Set(names).size === names.length ? names : undefined
  },
)
  .optional()
  .openapi({
    type: 'string',
    description: `Comma-separated, at most ${SYMBOLS_MAX}. By default every symbol.`,
    example: 'BTCUSDT,ETHUSDT',
  })

/** The last instrument of a page, exchange:symbol. */
export const instrumentCursorQuery = text("the cursor in an earlier answer's next", (value) => {
  const [exchange = '', symbol = '', ...others] = value.split(':')
  const is_name = isExchange(exchange) && isSymbolName(symbol) && others.length === 0
  return is_name ? { exchange, symbol } : undefined
})
  .optional()
  .openapi({
    type: 'string',
    description: 'Continues after the last row of an earlier answer.',
  })

export const searchQuery = text(`the beginning of a name, of ${SYMBOL_RULE}`, (value) =>
  isSymbolName(value) ? value : undefined,
).openapi({
  type: 'string',
  description: 'Beginning of a symbol or of a base asset. The case of a-z does not matter.',
  example: 'btc',
})

const datasetName = text('a dataset name of a-z, 0-9 and underscores, at most 41', (value) =>
  isDatasetName(value) ? value : undefined,
).openapi({ param: { name: 'name', in: 'path' }, type: 'string', example: 'features_1s' })

const date = text('a calendar date, YYYY-MM-DD', parseDay).openapi({
  param: { name: 'date', in: 'path' },
  type: 'string',
  format: 'date',
  example: '2024-08-08',
})

const file = z.string().openapi({
  param: { name: 'file', in: 'path' },
  description: 'Name of a file in the manifest, or `manifest.json` itself.',
  example: 'features_1s.parquet',
})

export const datasetPath = z.object({ name: datasetName })
export const datasetDatePath = z.object({ name: datasetName, date })
export const datasetFilePath = z.object({ name: datasetName, date, file })

export const runPath = z.object({
  id: text('the id of a run, a whole number', (value) => {
    const id = /^[1-9]\d{0,15}$/.test(value) ? Number(value) : undefined
    return id !== undefined && Number.isSafeInteger(id) ? id : undefined
  }).openapi({ type: 'integer' }),
})

export const exchangeQuery = choice(EXCHANGES)
  .optional()
  .openapi({
    type: 'string',
    enum: [...EXCHANGES],
    description: 'Required if several exchanges list the symbol.',
  })

export const channelQuery = choice(CHANNELS)
  .optional()
  .openapi({ type: 'string', enum: [...CHANNELS] })

export const statusQuery = choice(['running', 'done', 'failed'])
  .optional()
  .openapi({ type: 'string', enum: ['running', 'done', 'failed'] })

export const jobQuery = text('a job name of a-z, 0-9, underscores and hyphens', (value) =>
  /^[a-z0-9_-]{1,64}$/.test(value) ? value : undefined,
)
  .optional()
  .openapi({ type: 'string', example: 'features' })

export const symbolQuery = symbolName().optional().openapi({ type: 'string', example: 'BTCUSDT' })

export function flagQuery(description: string) {
  return text('true or false', (value) =>
    value === 'true' ? true : value === 'false' ? false : undefined,
  )
    .optional()
    .openapi({ type: 'boolean', description })
}

function countUpTo(maximum: number) {
  return text(`a whole number from 1 to ${maximum}`, (value) => {
    const limit = /^[1-9]\d{0,5}$/.test(value) ? Number(value) : undefined
    return limit !== undefined && limit <= maximum ? limit : undefined
  }).optional()
}

export function boundQuery(maximum: number, description: string) {
  return countUpTo(maximum).openapi({ type: 'integer', minimum: 1, maximum, description })
}

export function limitQuery(maximum = LIMIT_MAX, standard = LIMIT_DEFAULT) {
  return countUpTo(maximum)
    .transform((limit) => limit ?? standard)
    .openapi({ type: 'integer', minimum: 1, maximum, default: standard })
}

export const timeQuery = (description: string) =>
  text(TIME_RULE, parseTime)
    .optional()
    .openapi({
      type: 'string',
      description: `${description} ${TIME_RULE}.`,
      example: '2024-08-08T23:54:00Z',
    })

/** A time that must be given. */
export const momentQuery = (description: string) =>
  text(TIME_RULE, parseTime).openapi({
    type: 'string',
    description: `${description} ${TIME_RULE}.`,
    example: '2024-08-08T23:54:00Z',
  })

/** from, to, limit and cursor: the parameters that all range routes share. */
export function rangeShape(cursor_kinds: readonly PartKind[]) {
  return {
    from: timeQuery('Start of the range, inclusive.'),
    to: timeQuery('End of the range, exclusive.'),
    limit: limitQuery(),
    cursor: text("the cursor in an earlier answer's next", (value) =>
      decodeCursor(value, cursor_kinds),
    )
      .optional()
      .openapi({
        type: 'string',
        description: 'Continues after the last row of an earlier answer.',
      }),
  }
}

/** Some of a table's columns, in the order of the answer. */
export function columnsQuery(names: readonly string[]) {
  const allowed = `a comma-separated list of ${names.join(', ')}, each at most once`
  return text(allowed, (value) => {
    const wanted = value.split(',')
    const is_known = wanted.every((name) => names.includes(name))
    return is_known && new Set(wanted).size === wanted.length ? wanted : undefined
  })
    .optional()
    .openapi({
      type: 'string',
      description: 'Comma-separated column names; by default all columns.',
    })
}

export const percentQuery = (description: string) =>
  text('a number above 0, at most 100, with at most 6 decimals', (value) => {
    const percent = /^\d{1,3}(\.\d{1,6})?$/.test(value) ? Number(value) : 0
    return percent > 0 && percent <= 100 ? percent : undefined
  })
    .optional()
    .openapi({ type: 'number', exclusiveMinimum: 0, maximum: 100, description })

/** Ticks of a bin of prices. */
export const binQuery = text('auto, or a whole number of ticks from 1 to 1000000', (value) => {
  if (value === 'auto') return 'auto' as const
  const ticks = /^[1-9]\d{0,6}$/.test(value) ? Number(value) : undefined
  return ticks !== undefined && ticks <= 1_000_000 ? ticks : undefined
})
  .optional()
  .transform((bin) => bin ?? ('auto' as const))
  .openapi({ type: 'string', default: 'auto', example: '10' })

/** One of `words`; `standard` if the parameter is missing. */
export function wordQuery<const T extends string>(words: readonly T[], standard: T) {
  return choice(words)
    .optional()
    .transform((word) => word ?? standard)
    .openapi({ type: 'string', enum: [...words], default: standard })
}

/** One of `words`, or no restriction. */
export function choiceQuery<const T extends string>(words: readonly T[], description: string) {
  return choice(words)
    .optional()
    .openapi({ type: 'string', enum: [...words], description })
}

/** Names of columns that are known only once the data is read. */
export const nameListQuery = text('a comma-separated list of at most 500 column names', (value) => {
  const names = value.split(',')
  const is_list = names.length <= 500 && names.every((name) => /^[a-z][a-z0-9_]{0,63}$/.test(name))
  return is_list && new Set(names).size === names.length ? names : undefined
})
  .optional()
  .openapi({
    type: 'string',
    description: 'Comma-separated column names; by default all columns.',
  })

export const formatQuery = choice(FORMATS)
  .optional()
  .openapi({
    type: 'string',
    enum: [...FORMATS],
    description: 'Overrides the Accept header. `arrow` is an Arrow IPC stream.',
  })

interface RangeQuery {
  readonly from?: Micros | undefined
  readonly to?: Micros | undefined
  readonly cursor?: Cursor | undefined
}

/**
 * Fills in the bounds that the caller left out. `to` defaults to now. `from` defaults to the
 * cursor's time, or else to `default_span_us` before `to`. Throws a 400 if the range is empty.
 */
export function resolveRange(
  { from, to, cursor }: RangeQuery,
  now: Micros,
  default_span_us: number,
): { readonly from: Micros; readonly to: Micros } {
  const end = to ?? now
  const start = from ?? cursor?.[0] ?? micros(Math.max(0, end - default_span_us))
  if (start < end) return { from: start, to: end }
  const bound = to === undefined ? 'now' : 'to'
  const parameter = from === undefined && cursor !== undefined ? 'cursor' : 'from'
  throw badParameters([
    { parameter, found: toIso(start), allowed: `before ${bound} (${toIso(end)})` },
  ])
}

/** Turns zod's issues into a 400. */
export const refuseBadParameters: Hook<unknown, Env, string, undefined> = (result, c) => {
  if (result.success) return undefined
  const sent = (name: string): string | undefined =>
    result.target === 'query' ? c.req.queries(name)?.join(', ') : c.req.param(name)
  const errors = result.error.issues.flatMap((issue): ParameterError[] => {
    const names = issue.code === 'unrecognized_keys' ? issue.keys : [String(issue.path[0])]
    return names.map((name) => ({
      parameter: found(name)!,
      found: found(sent(name)),
      allowed: issue.message,
    }))
  })
  throw badParameters(errors.slice(0, 20))
}
