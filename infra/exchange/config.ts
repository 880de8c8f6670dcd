/** Reads the exchange server's settings from its environment. */
import { z } from 'zod'
import {
  decimal,
  type Env,
  list,
  oneOf,
  optionalDecimal,
  optionalWhole,
  readEnvironment,
  whole,
} from '#core/environment.ts'
import { isSymbolName, SYMBOL_RULE } from '#core/symbols.ts'
import type { ExchangeLimits, ExchangeOptions } from './server.ts'
import { SYMBOL_COUNT_MAX } from './simulation.ts'
import { VENUE_NAMES } from './venue.ts'

export interface ExchangeConfig {
  readonly exchange: Omit<ExchangeOptions, 'log'>
  readonly log_level: string
}

const seed = { min: 0, max: Number.MAX_SAFE_INTEGER }
const seconds = { min: 0.1, max: 86_400, what: 'seconds' }

/** JSON, because a file name may contain any separator. */
const Files = z.string().transform((text, context): readonly string[] => {
  const names = z.array(z.string()).min(1).safeParse(parseJson(text))
  if (names.success) return names.data
  const message = 'must be a JSON list of files such as ["day.ndjson.gz"]'
  context.addIssue({ code: 'custom', message })
  return z.NEVER
})

const Speed = z
  .string()
  .default('max')
  .transform((text, context) => {
    const speed = parseSpeed(text)
    if (speed !== undefined) return speed
    context.addIssue({ code: 'custom', message: 'must be max, real, or a factor such as 10x' })
    return z.NEVER
  })

const Environment = z
  .object({
    PORT: whole({ min: 0, max: 65_535, standard: 0 }),
    EXCHANGE: z.enum(VENUE_NAMES, { error: `must be ${VENUE_NAMES.join(' or ')}` }).optional(),
    EXCHANGE_SOURCE: oneOf(['sim', 'replay'], 'sim'),
    SYMBOLS: z
      .string()
      .default('')
      .transform((text) => list(text.toUpperCase()))
      .refine((names) => names.every(isSymbolName), {
        error: `must be a comma list of symbols such as BTCUSDT,ETHUSDT: ${SYMBOL_RULE}`,
      }),
    SYMBOL_COUNT: whole({ min: 1, max: SYMBOL_COUNT_MAX, standard: 200 }),
    EVENTS_PER_S: decimal({ min: 0.1, max: 1_000_000, standard: 1_500 }),
    SEED: whole({ ...seed, standard: 1 }),
    RECORDINGS: Files.optional(),
    REPLAY_SPEED: Speed,
    SLOW_CLIENT: z.enum(['cut', 'wait'], { error: 'must be cut or wait' }).optional(),
    PING_INTERVAL_S: optionalDecimal(seconds),
    PONG_LIMIT_S: optionalDecimal(seconds),
    SOCKET_LIFE_S: optionalDecimal(seconds),
    WEIGHT_PER_MINUTE: optionalWhole({ min: 1, max: 1_000_000 }),
    FAULT_SEED: whole({ ...seed, standard: 1 }),
    EXCHANGE_TRUTH_FILE: z.string().optional(),
    LOG_LEVEL: oneOf(['debug', 'info', 'warn', 'error'], 'info'),
  })
  .refine(({ EXCHANGE_SOURCE, RECORDINGS }) => EXCHANGE_SOURCE === 'sim' || RECORDINGS, {
    path: ['RECORDINGS'],
    error: 'must be set if EXCHANGE_SOURCE is replay',
    // Also if another variable is wrong, so that all problems are reported together.
    when: () => true,
  })

/** Pure. Throws one OperatorError that lists every problem. An empty variable counts as not set. */
export function parseConfig(env: Env): ExchangeConfig {
  const set = Object.fromEntries(Object.entries(env).filter(([, text]) => text !== ''))
  const hint = 'Correct these environment variables.'
  const read = readEnvironment(Environment, set, 'Settings of the exchange server', hint)
  return Object.freeze({
    exchange: Object.freeze({
      port: read.PORT,
      source: sourceOf(read),
      ...(read.EXCHANGE === undefined ? {} : { venue: read.EXCHANGE }),
      limits: limitsOf(read),
      slow_client: read.SLOW_CLIENT ?? (read.EXCHANGE_SOURCE === 'sim' ? 'cut' : 'wait'),
      fault_seed: read.FAULT_SEED,
      ...(read.EXCHANGE_TRUTH_FILE === undefined ? {} : { truth_file: read.EXCHANGE_TRUTH_FILE }),
    }),
    log_level: read.LOG_LEVEL,
  })
}

type Read = z.output<typeof Environment>

function sourceOf(read: Read): ExchangeOptions['source'] {
  if (read.EXCHANGE_SOURCE === 'replay') {
    return { kind: 'replay', files: read.RECORDINGS ?? [], speed: read.REPLAY_SPEED }
  }
  const symbols = read.SYMBOLS.length > 0 ? read.SYMBOLS : read.SYMBOL_COUNT
  return { kind: 'sim', seed: read.SEED, symbols, events_per_s: read.EVENTS_PER_S }
}

/** A limit that is not set is that of the simulated exchange. */
function limitsOf(read: Read): Partial<ExchangeLimits> {
  const limits = {
    ping_interval_ms: milliseconds(read.PING_INTERVAL_S),
    pong_limit_ms: milliseconds(read.PONG_LIMIT_S),
    socket_life_ms: milliseconds(read.SOCKET_LIFE_S),
    weight_per_minute_max: read.WEIGHT_PER_MINUTE,
  }
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined))
}

const milliseconds = (s: number | undefined): number | undefined =>
  s === undefined ? undefined : s * 1_000

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** `max`, `real`, or `10x`. Undefined for anything else. */
export function parseSpeed(text: string): 'max' | number | undefined {
  if (text === 'max') return 'max'
  if (text === 'real') return 1
  const factor = /^(\d+(?:\.\d+)?)x$/.exec(text)?.[1]
  return factor !== undefined && Number(factor) > 0 ? Number(factor) : undefined
}
