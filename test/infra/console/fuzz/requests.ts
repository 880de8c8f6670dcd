/**
 * Random requests to the admin API of an ingestor and to the console: good ones, nearly good ones,
 * and wild ones, from every kind of caller. Each says whether its caller may change anything.
 */
import { HOSTILE } from '../../../edge-api/hostile.ts'
import type { RawRequest } from './raw-http.ts'

export const ROUTES = ['ingestor over unix', 'ingestor over tcp', 'console'] as const
export type Route = (typeof ROUTES)[number]

export interface Question extends RawRequest {
  readonly route: Route
  /** By token, way, Host and Origin, whatever the request asks for. */
  readonly may_change: boolean
}

export interface Tokens {
  readonly read: string
  readonly operate: string
}

export interface Random {
  /** In [0, 1). */
  next(): number
  pick<T>(some: readonly T[]): T
  chance(share: number): boolean
}

export function createChooser(next: () => number): Random {
  return {
    next,
    pick: (some) => some[Math.floor(next() * some.length)]!,
    chance: (share) => next() < share,
  }
}

const SYMBOLS = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT', 'NOSUCHUSDT', 'btcusdt'] as const
const READ_PATHS: Readonly<Record<'ingestor' | 'console', readonly string[]>> = {
  ingestor: [
    '/',
    '/status',
    '/streams',
    '/audit',
    '/metrics',
    '/events',
    '/streams?symbol=BTCUSDT',
  ],
  console: [
    '/',
    '/me',
    '/summary',
    '/history',
    '/streams',
    '/symbols/binance-futures/BTCUSDT',
    '/gaps?date=2026-11-28',
    '/jobs',
    '/jobs/1',
    '/datasets',
    '/datasets/features_1s/2026-11-20',
    '/datasets/features_1s/months/2026-11',
    '/db-stats',
    '/validation',
    '/audit',
    '/events',
  ],
}
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND', 'TRACE']

export function questionOf(random: Random, tokens: Tokens, port: number): Question {
  const route = random.pick(ROUTES)
  const program = route === 'console' ? 'console' : 'ingestor'
  const asked = random.chance(0.6) ? change(random, program) : read(random, program)
  const { method, path, body } = random.chance(0.35) ? spoil(random, asked) : asked
  const caller = callerOf(random, route, tokens, port)
  const prefix = route === 'console' ? '/api' : ''
  const headers = [...caller.headers, ...extras(random)]
  if (body !== undefined && !headers.some(([name]) => name === 'content-type')) {
    headers.push(['content-type', 'application/json'])
  }
  const { may_change } = caller
  return { route, method, target: prefix + path, headers, body: bytesOf(body), may_change }
}

interface Asked {
  readonly method: string
  readonly path: string
  readonly body: unknown
}

function read(random: Random, program: 'ingestor' | 'console'): Asked {
  return { method: 'GET', path: random.pick(READ_PATHS[program]), body: undefined }
}

function change(random: Random, program: 'ingestor' | 'console'): Asked {
  const dry = random.chance(0.25) ? '?dry_run=true' : ''
  const asked = random.pick(program === 'ingestor' ? INGESTOR : CONSOLE)(random)
  return { ...asked, path: asked.path + dry }
}

const some = (random: Random): readonly string[] =>
  Array.from({ length: 1 + Math.floor(random.next() * 3) }, () => random.pick(SYMBOLS))
const size = (random: Random): object =>
  random.chance(0.5) ? { count: random.pick([1, 2, 3, 200]) } : { tier: random.pick([1, 2, 3, 4]) }

const INGESTOR: readonly ((random: Random) => Asked)[] = [
  (random) => ({
    method: 'POST',
    path: '/recording',
    body: { state: random.pick(['recording', 'recording', 'paused']) },
  }),
  (random) => ({ method: 'PUT', path: '/symbols', body: { symbols: some(random) } }),
  () => ({ method: 'PUT', path: '/symbols', body: { symbols: 'all' } }),
  (random) => ({ method: 'PUT', path: '/symbols', body: { add: some(random) } }),
  (random) => ({ method: 'PUT', path: '/symbols', body: { remove: some(random) } }),
  (random) => ({ method: 'POST', path: '/scale', body: size(random) }),
  (random) => ({
    method: 'PUT',
    path: '/channels',
    body: { channels: [random.pick(['book_ticker', 'trades']), 'depth_events', 'mark_price'] },
  }),
  (random) => ({
    method: 'PUT',
    path: '/depth',
    body: { symbols: random.pick(['all', { tier: 1 }, { busiest: 2 }, some(random)]) },
  }),
  () => ({ method: 'DELETE', path: '/desired', body: undefined }),
]

const CONSOLE: readonly ((random: Random) => Asked)[] = [
  (random) => ({ method: 'POST', path: '/start', body: named(random, {}) }),
  (random) => ({ method: 'POST', path: '/start', body: named(random, { symbols: some(random) }) }),
  (random) => ({ method: 'POST', path: '/stop', body: named(random, {}) }),
  (random) => ({ method: 'POST', path: '/scale', body: named(random, size(random)) }),
  (random) => ({ method: 'PUT', path: '/symbols', body: named(random, { add: some(random) }) }),
  (random) => ({
    method: 'POST',
    path: '/jobs',
    body: random.pick<object>([
      { job: 'archive' },
      { job: 'validation' },
      { job: 'features', date: '2026-11-20' },
      { job: 'features' },
      { job: 'drop table' },
    ]),
  }),
]

function named(random: Random, body: object): object {
  const who = random.pick([undefined, ['one'], ['one'], ['nobody'], ['one', 'one']])
  return who === undefined ? body : { ...body, ingestors: who }
}

/** A request with one thing wrong. */
function spoil(random: Random, asked: Asked): Asked {
  const text = random.pick(HOSTILE)
  const [path = '', query] = asked.path.split('?')
  return random.pick<() => Asked>([
    () => ({ ...asked, method: random.pick(METHODS) }),
    () => ({
      ...asked,
      method: random.pick(METHODS),
      path: `/${encodeURIComponent(wellFormed(text))}`,
    }),
    () => ({ ...asked, path: `${path}/${encodeURIComponent(wellFormed(text))}` }),
    () => ({ ...asked, path: `${path}?dryrun=true` }),
    () => ({ ...asked, path: `${path}?dry_run=${encodeURIComponent(wellFormed(text))}` }),
    () => ({ ...asked, path: `${path}?dry_run=true&dry_run=false` }),
    () => ({ ...asked, path: `${path}?${encodeURIComponent(wellFormed(text))}=1&${query ?? ''}` }),
    () => ({ ...asked, path: `/${path}//../${path.slice(1)}` }),
    () => ({ ...asked, path: `${path}%2e%2e%2f%zz` }),
    () => ({ ...asked, path: `${path}?x=${'y'.repeat(8_000)}` }),
    () => ({ ...asked, body: random.pick(WILD_BODIES) }),
    () => ({ ...asked, body: random.pick(WILD_BODIES) }),
    () => ({ ...asked, body: { ...(asked.body as object | undefined), [text]: text } }),
    () => ({ ...asked, body: withValue(asked.body, random.pick(WILD_VALUES)) }),
    () => ({ ...asked, body: withValue(asked.body, text) }),
  ])()
}

function wellFormed(text: string): string {
  return text.toWellFormed().slice(0, 4_000)
}

/** The same body with another value in its first field. */
function withValue(body: unknown, value: unknown): unknown {
  const [name] = Object.keys((body ?? {}) as object)
  return name === undefined ? { x: value } : { ...(body as object), [name]: value }
}

const WILD_VALUES: readonly unknown[] = [
  null,
  -1,
  0,
  0.5,
  1e308,
  [],
  {},
  [[]],
  true,
  '',
  ['\u0000'],
  ['BTCUSDT\u0000'],
  ['\ud800'],
  Array.from({ length: 3_000 }, () => 'BTCUSDT'),
  'x'.repeat(5_000),
  { count: 1, tier: 1 },
]
/** Texts are sent as they are. */
const WILD_BODIES: readonly string[] = [
  '',
  'null',
  '[]',
  '"paused"',
  '{',
  '{"state":"paused"',
  '{"state":"paused"}}',
  '{"state":"paused","state":"recording"}',
  '{"__proto__":{"state":"paused"}}',
  '{"count":1e309}',
  '{"count":9007199254740993}',
  '['.repeat(20_000),
  `{"symbols":["${'A'.repeat(100_000)}"]}`,
  ' '.repeat(300_000),
  '\ufeff{"state":"paused"}',
  '\u0000\u0001\u00ff',
]

interface Calling {
  readonly headers: (readonly [name: string, value: string])[]
  readonly may_change: boolean
}

function callerOf(random: Random, route: Route, tokens: Tokens, port: number): Calling {
  const [host, is_our_host] = random.chance(0.8)
    ? ([`127.0.0.1:${port}`, true] as const)
    : random.pick<readonly [string, boolean]>([
        [`localhost:${port}`, true],
        ['[::1]', true],
        ['evil.example', false],
        [`evil.example:${port}`, false],
        ['127.0.0.1.evil.example', false],
        ['localhost.evil.example', false],
        ['evil.example@127.0.0.1', false],
        ['127.0.0.1:99999999', false],
      ])
  const [origin, is_our_page] = random.chance(0.8)
    ? ([undefined, true] as const)
    : random.pick<readonly [string, boolean]>([
        [`http://${host}`, true],
        ['http://evil.example', false],
        [`http://127.0.0.1:${port + 1}`, false],
        ['null', false],
        ['file://', false],
      ])
  const is_cross_site = random.chance(0.05)
  const [token, is_operator] = random.pick<readonly [string | undefined, boolean]>([
    [`Bearer ${tokens.operate}`, true],
    [`Bearer ${tokens.operate}`, true],
    [`Bearer ${tokens.operate}`, true],
    [`Bearer ${tokens.operate}`, true],
    [`Bearer ${tokens.operate}`, true],
    [`Bearer ${tokens.read}`, false],
    [undefined, false],
    [`Bearer ${'x'.repeat(32)}`, false],
    [`Bearer ${tokens.operate}x`, false],
    [`Basic ${tokens.operate}`, false],
    ['Bearer', false],
  ])
  // No page can name a socket's file, so its callers may call it anything.
  const may_come =
    route === 'ingestor over unix'
      ? origin === undefined || is_our_host
      : is_our_host && is_operator
  return {
    headers: [
      ['host', host],
      ...(origin === undefined ? [] : [['origin', origin] as const]),
      ...(is_cross_site ? [['sec-fetch-site', 'cross-site'] as const] : []),
      ...(token === undefined ? [] : [['authorization', token] as const]),
    ],
    may_change: may_come && is_our_page && !is_cross_site,
  }
}

function extras(random: Random): readonly (readonly [string, string])[] {
  return [
    ['if-match', random.pick(['*', '"x"', 'W/"x"', '"', ',,,'])] as const,
    ['idempotency-key', random.pick(['a', 'b', 'a b', 'x'.repeat(200), '\u00ff'])] as const,
    ['booktape-actor', random.pick(['carol', 'carol; drop', '', 'x'.repeat(100)])] as const,
    ['content-type', random.pick(['text/plain', 'application/x-www-form-urlencoded', ''])] as const,
    ['accept-encoding', random.pick(['gzip', 'x', '*;q=0'])] as const,
    ['x-forwarded-host', '127.0.0.1'] as const,
  ].filter(() => random.chance(0.06))
}

function bytesOf(body: unknown): Buffer | undefined {
  if (body === undefined) return undefined
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body), 'utf8')
}
