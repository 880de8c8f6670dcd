/** Reads the exchange server's settings from its environment. */
import { OperatorError } from '#core/errors.ts'
import { isSymbolName } from '#core/symbols.ts'
import type { ExchangeLimits, ExchangeOptions } from './server.ts'
import { SYMBOL_COUNT_MAX } from './simulation.ts'
import { VENUE_NAMES } from './venue.ts'

export interface ExchangeConfig {
  readonly exchange: Omit<ExchangeOptions, 'log'>
  readonly log_level: string
}

type Env = Readonly<Record<string, string | undefined>>

const LOG_LEVELS = ['debug', 'info', 'warn', 'error']

/** Pure. Throws one OperatorError that lists every problem. */
export function parseConfig(env: Env): ExchangeConfig {
  const problems: string[] = []
  const number = (name: string, fallback: number, min: number, max: number): number => {
    const text = env[name]
    if (text === undefined || text === '') return fallback
    const value = Number(text)
    if (text.trim() !== '' && Number.isFinite(value) && value >= min && value <= max) return value
    problems.push(`${name} is "${text}"; expected a number from ${min} to ${max}.`)
    return fallback
  }
  const whole = (name: string, fallback: number, min: number, max: number): number => {
    const value = number(name, fallback, min, max)
    if (!Number.isInteger(value)) problems.push(`${name} is ${value}; expected a whole number.`)
    return value
  }
  const choice = <Word extends string>(
    name: string,
    words: readonly Word[],
    fallback: Word,
  ): Word => {
    const text = env[name] ?? ''
    const found = words.find((word) => word === text)
    if (found === undefined && text !== '') {
      problems.push(`${name} is "${text}"; expected ${words.join(', ')}.`)
    }
    return found ?? fallback
  }
  const list = (name: string): readonly string[] =>
    (env[name] ?? '').split(',').flatMap((part) => (part.trim() === '' ? [] : [part.trim()]))

  const source_kind = choice('EXCHANGE_SOURCE', ['sim', 'replay'], 'sim')
  const symbols = list('SYMBOLS').map((name) => name.toUpperCase())
  for (const name of symbols) {
    if (!isSymbolName(name)) problems.push(`SYMBOLS has "${name}"; expected names such as BTCUSDT.`)
  }
  const files = parseFiles(env['RECORDINGS'] ?? '')
  if (source_kind === 'replay' && files.length === 0) {
    problems.push('RECORDINGS has no file; expected a JSON list such as ["day.ndjson.gz"].')
  }
  const symbol_count = whole('SYMBOL_COUNT', 200, 1, SYMBOL_COUNT_MAX)
  const sim = {
    kind: 'sim',
    seed: whole('SEED', 1, 0, Number.MAX_SAFE_INTEGER),
    symbols: symbols.length > 0 ? [...new Set(symbols)] : symbol_count,
    events_per_s: number('EVENTS_PER_S', 1_500, 0.1, 1_000_000),
  } as const
  const speed_text = env['REPLAY_SPEED'] ?? 'max'
  const speed = parseSpeed(speed_text)
  if (speed === undefined) {
    problems.push(`REPLAY_SPEED is "${speed_text}"; expected max, real, or a factor such as 10x.`)
  }
  const slow_client = choice('SLOW_CLIENT', ['cut', 'wait'], source_kind === 'sim' ? 'cut' : 'wait')
  const is_set = (name: string): boolean => (env[name] ?? '') !== ''
  const venue = is_set('EXCHANGE')
    ? { venue: choice('EXCHANGE', VENUE_NAMES, 'binance-futures') }
    : {}
  const milliseconds = <Key extends keyof ExchangeLimits>(name: string, key: Key) =>
    is_set(name) ? { [key]: number(name, 1, 0.1, 86_400) * 1_000 } : {}
  // Limits that are not set here are those of the simulated exchange.
  const limits: Partial<ExchangeLimits> = {
    ...milliseconds('PING_INTERVAL_S', 'ping_interval_ms'),
    ...milliseconds('PONG_LIMIT_S', 'pong_limit_ms'),
    ...milliseconds('SOCKET_LIFE_S', 'socket_life_ms'),
    ...(is_set('WEIGHT_PER_MINUTE')
      ? { weight_per_minute_max: whole('WEIGHT_PER_MINUTE', 1, 1, 1_000_000) }
      : {}),
  }
  const port = whole('PORT', 0, 0, 65_535)
  const fault_seed = whole('FAULT_SEED', 1, 0, Number.MAX_SAFE_INTEGER)
  const truth_file = env['EXCHANGE_TRUTH_FILE'] ?? ''
  const log_level = choice('LOG_LEVEL', LOG_LEVELS, 'info')
  if (problems.length > 0) {
    throw new OperatorError(
      'bad_config',
      `The exchange server cannot start: ${problems.join(' ')}`,
      {
        hint: 'Correct these environment variables.',
      },
    )
  }
  const source = source_kind === 'sim' ? sim : ({ kind: 'replay', files, speed: speed! } as const)
  return Object.freeze({
    exchange: Object.freeze({
      port,
      source,
      ...venue,
      limits,
      slow_client,
      fault_seed,
      ...(truth_file === '' ? {} : { truth_file }),
    }),
    log_level,
  })
}

/** JSON, because a file name may contain any separator. Empty if it is not a list of names. */
function parseFiles(text: string): readonly string[] {
  try {
    const value: unknown = JSON.parse(text)
    const is_list = Array.isArray(value) && value.every((name) => typeof name === 'string')
    return is_list ? (value as readonly string[]) : []
  } catch {
    return []
  }
}

/** `max`, `real`, or `10x`. Undefined for anything else. */
export function parseSpeed(text: string): 'max' | number | undefined {
  if (text === 'max') return 'max'
  if (text === 'real') return 1
  const factor = /^(\d+(?:\.\d+)?)x$/.exec(text)?.[1]
  return factor !== undefined && Number(factor) > 0 ? Number(factor) : undefined
}
