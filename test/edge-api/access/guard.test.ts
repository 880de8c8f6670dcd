/** Every route with valid, missing, wrong and insufficient tokens. */
import { describe, expect, test } from 'vitest'
import { fromMillis, micros, SECOND_US } from '#core/time.ts'
import { createRevocations, accessBindings } from '../../../edge-api/access/bindings.ts'
import { mintToken, type Scope } from '#core/access-token.ts'
import { composeApp, type Surroundings } from '../../../edge-api/compose.ts'
import {
  addQuotes,
  addReport,
  addSymbol,
  publish,
  setLatest,
  startEdge,
  TOKEN_SECRET,
} from '../support.ts'

const edge = await startEdge()
const NOW = fromMillis(Date.parse('2024-08-09T00:00:00Z'))
await addQuotes(edge.pool, await addSymbol(edge.pool, 'BTCUSDT'), [
  ['2024-08-08T23:59:59Z', 1, 61800.2, 61800.3, 0.5, 12],
])
await addReport(edge.pool, '2024-08-08T23:55:00.000Z')
await setLatest(edge.store, await publish(edge.store, 'features_1s', '2024-08-07'))

const reported: unknown[] = []
function appWith(
  bindings: Readonly<Record<string, string>>,
  surroundings: Partial<Surroundings> = {},
) {
  return composeApp(
    { ...edge.bindings, ...bindings },
    { now: () => NOW, report: (error) => reported.push(error), ...surroundings },
  )
}

const tokenOf = async (scopes: readonly Scope[], days = 30, at = NOW): Promise<string> =>
  (await mintToken(TOKEN_SECRET, scopes, days, at)).text

const TOKENS: Readonly<Record<string, string>> = {
  read: await tokenOf(['read']),
  datasets: await tokenOf(['datasets']),
  ops: await tokenOf(['ops']),
}
const EXPIRED = await tokenOf(['read'], 1, micros(NOW - 172_800 * SECOND_US))
const FUTURE = await tokenOf(['read'], 1, micros(NOW + 3_600 * SECOND_US))
const FORGED = (await mintToken('another secret of 32 bytes or more', ['read', 'ops'], 1, NOW)).text

const NEEDS: readonly (readonly [path: string, scope: Scope | null])[] = [
  ['/', null],
  ['/health', null],
  ['/openapi.json', null],
  ['/v1/symbols', 'read'],
  ['/v1/quotes/BTCUSDT', 'read'],
  ['/v1/quotes/BTCUSDT/latest', 'read'],
  ['/v1/trades/BTCUSDT', 'read'],
  ['/v1/gaps', 'read'],
  ['/prices/tickers', 'read'],
  ['/v1/datasets', 'read'],
  ['/v1/datasets/features_1s', 'read'],
  ['/v1/datasets/features_1s/2024-08-07', 'datasets'],
  ['/v1/datasets/features_1s/2024-08-07/manifest.json', 'datasets'],
  ['/v1/datasets/features_1s/2024-08-07/features_1s.parquet', 'datasets'],
  ['/v1/datasets/features_1s/yesterday.parquet', 'datasets'],
  ['/v1/jobs', 'ops'],
  ['/v1/validation', 'ops'],
  // Other spellings of a path must need the same scope.
  ['/%761/jobs', 'ops'],
  ['/v1/valid%61tion', 'ops'],
  ['/v1/datasets/features_1s/%32024-08-07', 'datasets'],
]

describe('nothing is public: each route requires its scope', () => {
  const app = appWith({ PUBLIC_READ: 'false' })
  const statusOf = async (path: string, token?: string): Promise<number> =>
    (await app.request(path, token === undefined ? {} : bearing(token))).status
  for (const [path, scope] of NEEDS) {
    test(`${path} needs ${scope ?? 'nothing'}`, async () => {
      const expected = (holds: boolean, refused: number) => (holds ? [200, 302] : [refused])
      expect(expected(scope === null, 401)).toContain(await statusOf(path))
      for (const [name, token] of Object.entries(TOKENS)) {
        const statuses = expected(scope === null || name === scope, 403)
        expect(statuses, `with ${name}`).toContain(await statusOf(path, token))
      }
      expect(await statusOf(path, FORGED)).toBe(401)
    })
  }
})

function bearing(token: string, headers: Readonly<Record<string, string>> = {}): RequestInit {
  return { headers: { authorization: `Bearer ${token}`, ...headers } }
}

describe('an invalid token', () => {
  const app = appWith({ PUBLIC_READ: 'true' })
  for (const [name, authorization, type] of [
    ['of another installation', `Bearer ${FORGED}`, 'token_invalid'],
    ['that is cut short', `Bearer ${TOKENS['read']!.slice(0, -1)}`, 'token_invalid'],
    ['that is a JSON web token without a signature', `Bearer ${unsignedJwt()}`, 'token_invalid'],
    ['of another scheme', 'Basic dXNlcjpwYXNz', 'token_invalid'],
    ['that is empty', 'Bearer ', 'token_invalid'],
    ['that expired', `Bearer ${EXPIRED}`, 'token_expired'],
    ['from the future', `Bearer ${FUTURE}`, 'token_invalid'],
  ] as const) {
    test(`${name} is a 401 even if none is needed, and is not repeated in the answer`, async () => {
      const response = await app.request('/v1/symbols', { headers: { authorization } })
      const text = await response.text()
      expect([response.status, response.headers.get('www-authenticate')]).toEqual([
        401,
        'Bearer realm="booktape", error="invalid_token"',
      ])
      expect((JSON.parse(text) as { type: string }).type).toBe(`urn:booktape:problem:${type}`)
      expect(text).not.toContain(authorization.split(' ')[1]!.slice(0, 20) || TOKEN_SECRET)
      expect(text).not.toContain(TOKEN_SECRET)
    })
  }
})

function unsignedJwt(): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'none', typ: 'JWT' })}.${part({ scopes: ['ops'], exp: 4_000_000_000 })}.`
}

test('answers that needed a token are private; public answers may be cached by all', async () => {
  const closed = await appWith({ PUBLIC_READ: 'false' }).request(
    '/v1/symbols',
    bearing(TOKENS['read']!),
  )
  expect(closed.headers.get('cache-control')).toMatch(/^private/)
  expect(closed.headers.get('vary')).toMatch(/authorization/i)
  const open = await appWith({ PUBLIC_READ: 'true' }).request('/v1/symbols')
  expect(open.headers.get('cache-control')).toMatch(/^public/)
})

test('public market data does not make job runs or files public', async () => {
  const app = appWith({ PUBLIC_READ: 'true' })
  expect((await app.request('/v1/symbols')).status).toBe(200)
  expect((await app.request('/v1/jobs')).status).toBe(401)
  expect((await app.request('/v1/datasets/features_1s/2024-08-07')).status).toBe(401)
})

test('during a rotation both secrets are accepted', async () => {
  const app = appWith({
    PUBLIC_READ: 'false',
    TOKEN_SECRET: 'a new secret of 32 bytes or more, as it must be',
    TOKEN_SECRET_PREVIOUS: TOKEN_SECRET,
  })
  expect((await app.request('/v1/symbols', bearing(TOKENS['read']!))).status).toBe(200)
})

describe('rates', () => {
  const counted: string[] = []
  const limits = (allowed: boolean) => ({
    revoked_tokens: { get: async () => null },
    limitToken: async (key: string) => (counted.push(`token ${key}`), allowed),
    limitAddress: async (key: string) => (counted.push(`address ${key}`), allowed),
  })

  test('a valid token has its own rate; everything else, such as a guessed token, counts for the address', async () => {
    const app = appWith({}, { access: limits(true) })
    const from = { 'cf-connecting-ip': '192.0.2.1' }
    const { text, payload } = await mintToken(TOKEN_SECRET, ['read'], 1, NOW)
    await app.request('/v1/symbols', bearing(text, from))
    await app.request('/v1/symbols', { headers: from })
    await app.request('/v1/symbols', bearing(FORGED, from))
    expect(counted).toEqual([`token ${payload.id}`, 'address 192.0.2.1', 'address 192.0.2.1'])
  })

  test('too many requests are a 429 with Retry-After, on every path', async () => {
    const app = appWith({}, { access: limits(false) })
    for (const path of ['/', '/v1/symbols', '/nowhere']) {
      const response = await app.request(path)
      expect([response.status, response.headers.get('retry-after')]).toEqual([429, '10'])
      expect(response.headers.get('access-control-allow-origin')).toBe('*')
    }
  })
})

describe('revoked tokens', () => {
  test('are refused within seconds of being listed; the list is not read every time', async () => {
    let now = NOW
    let asked_count = 0
    const revoked = new Set<string>()
    const isRevoked = createRevocations(
      { get: async (id) => (asked_count++, revoked.has(id) ? 'revoked' : null) },
      () => now,
    )
    expect([await isRevoked('a'), await isRevoked('a'), asked_count]).toEqual([false, false, 1])
    revoked.add('a')
    now = micros(now + 5 * SECOND_US)
    expect([await isRevoked('a'), asked_count]).toEqual([true, 2])
  })

  test('are refused, like all tokens, while the list cannot be read', async () => {
    const access = {
      revoked_tokens: { get: () => Promise.reject(new Error('KV GET failed: 500')) },
      limitToken: async () => true,
      limitAddress: async () => true,
    }
    const response = await appWith({}, { access }).request('/v1/symbols', bearing(TOKENS['read']!))
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5'])
    expect(await response.text()).not.toContain('KV GET')
    expect(reported.splice(0)).toHaveLength(1)
  })
})

test('a worker without its bindings names each of them', () => {
  expect(() => accessBindings({ REVOKED_TOKENS: { get: () => null } })).toThrow(
    'The worker lacks bindings: LIMIT_TOKEN (a rate limit), LIMIT_ADDRESS (a rate limit).',
  )
  expect(() => accessBindings({})).toThrow(/REVOKED_TOKENS \(a KV namespace\)/)
})

for (const [name, bindings, message] of [
  ['a short secret', { TOKEN_SECRET: 'short' }, /TOKEN_SECRET must have at least 32 bytes/],
  ['an unknown scope', { PUBLIC_READ: 'read,write' }, /PUBLIC_READ must be false, true/],
  ['an origin with a path', { CORS_ORIGINS: 'https://a.example/x' }, /CORS_ORIGINS must be \*/],
] as const) {
  test(`bindings: ${name} is refused without its value`, () => {
    expect(() => appWith(bindings)).toThrow(message)
  })
}

test('pages of other origins are refused if CORS_ORIGINS lists origins', async () => {
  const app = appWith({ CORS_ORIGINS: 'https://a.example, https://b.example' })
  const allowed = async (origin: string) =>
    (await app.request('/v1/symbols', { headers: { origin } })).headers.get(
      'access-control-allow-origin',
    )
  expect(await allowed('https://b.example')).toBe('https://b.example')
  expect(await allowed('https://evil.example')).toBeNull()
  const preflight = await app.request('/v1/symbols', {
    method: 'OPTIONS',
    headers: {
      origin: 'https://a.example',
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'authorization',
    },
  })
  expect(preflight.headers.get('access-control-allow-headers')).toContain('Authorization')
})

test('nothing else was a fault of ours', () => expect(reported).toEqual([]))
