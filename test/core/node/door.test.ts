import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { admit, type GuardOptions, requireScope } from '#core/node/door/guard.ts'
import { findToken, parseTokens } from '#core/node/door/tokens.ts'

const TOKEN = 'a1-B2_'.repeat(6)
const OTHER = 'z'.repeat(32)
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

test('tokens are named as they are or by their hash, and found by what is presented', () => {
  const tokens = parseTokens(` alice:operate:${TOKEN} , board:read:sha256=${sha256(OTHER)},`)!
  expect(tokens.map(({ name, scope }) => [name, scope])).toEqual([
    ['alice', 'operate'],
    ['board', 'read'],
  ])
  expect(findToken(tokens, TOKEN)?.name).toBe('alice')
  expect(findToken(tokens, OTHER)?.name).toBe('board')
  expect(findToken(tokens, `${TOKEN}x`)).toBeUndefined()
  expect(findToken(tokens, sha256(OTHER))).toBeUndefined()
  expect(JSON.stringify(tokens)).not.toContain(TOKEN)
})

for (const [name, text] of [
  ['a short token', 'alice:operate:short'],
  ['no scope', `alice:${TOKEN}`],
  ['a scope that does not exist', `alice:admin:${TOKEN}`],
  ['half a hash', `alice:read:sha256=${'0'.repeat(32)}`],
  ['a name twice', `alice:read:${TOKEN},alice:operate:${OTHER}`],
  ['a name with a space', `al ice:read:${TOKEN}`],
  ['more than 32', Array.from({ length: 33 }, (_, at) => `n${at}:read:${TOKEN}`).join(',')],
] as const) {
  test(`${name} is no list of tokens`, () => expect(parseTokens(text)).toBeUndefined())
}

const OPTIONS: GuardOptions = {
  tokens: parseTokens(`alice:operate:${TOKEN},board:read:${OTHER}`)!,
  hosts: ['ours.example'],
}
const admitted = (headers: Record<string, string>, way: 'unix' | 'tcp' = 'tcp'): string => {
  const approach = {
    way,
    address: way === 'tcp' ? '10.0.0.7' : undefined,
    headers: new Headers(headers),
  }
  try {
    const { name, scope, origin } = admit(approach, OPTIONS)
    return `${name}, ${scope}, ${origin}`
  } catch (error) {
    return (error as { readonly code: string }).code
  }
}
const authorization = `Bearer ${TOKEN}`

for (const [name, headers, expected] of [
  ['localhost', { host: 'localhost:8081' }, 'alice, operate, 10.0.0.7'],
  ['an address', { host: '10.0.0.1:8081' }, 'alice, operate, 10.0.0.7'],
  ['an address of version 6', { host: '[2001:db8::1]:8081' }, 'alice, operate, 10.0.0.7'],
  ['a name of ours in other case', { host: 'OURS.example' }, 'alice, operate, 10.0.0.7'],
  ['a name that looks like an address', { host: '127.0.0.1.evil.example' }, 'host_not_allowed'],
  ['a name behind a login', { host: 'localhost@evil.example' }, 'host_not_allowed'],
  ['no name at all', {}, 'host_not_allowed'],
  [
    'its own page',
    { host: 'ours.example:443', origin: 'https://ours.example' },
    'alice, operate, 10.0.0.7',
  ],
  [
    'its own name over another scheme',
    { host: 'ours.example:443', origin: 'http://ours.example' },
    'origin_not_allowed',
  ],
  [
    'its own page on another port',
    { host: 'ours.example:81', origin: 'http://ours.example:81' },
    'alice, operate, 10.0.0.7',
  ],
  [
    'a page of a neighbour',
    { host: 'ours.example', origin: 'https://sub.ours.example' },
    'origin_not_allowed',
  ],
  ['a page without an origin', { host: 'ours.example', origin: 'null' }, 'origin_not_allowed'],
  [
    'a link on another site',
    { host: 'ours.example', 'sec-fetch-site': 'cross-site' },
    'origin_not_allowed',
  ],
  [
    'somebody for somebody',
    { host: 'localhost', 'booktape-actor': 'bob@desk' },
    'alice for bob@desk, operate, 10.0.0.7',
  ],
  [
    'somebody for a line of the log',
    { host: 'localhost', 'booktape-actor': 'bob local' },
    'bad_actor',
  ],
] as const) {
  test(`over the network, ${name}: ${expected}`, () => {
    expect(admitted({ authorization, ...headers })).toBe(expected)
  })
}

test('the socket file needs no token; a page may not use it either', () => {
  expect(admitted({ host: 'anything' }, 'unix')).toBe('local, operate, unix socket')
  expect(admitted({ host: 'localhost', origin: 'https://evil.example' }, 'unix')).toBe(
    'origin_not_allowed',
  )
})

test('a token that is unknown, of another kind or missing is refused; read may not operate', () => {
  for (const wrong of [
    `Bearer ${'x'.repeat(36)}`,
    `Basic ${TOKEN}`,
    'Bearer',
    `Bearer ${TOKEN} x`,
    `Bearer ${'x'.repeat(5_000)}`,
  ]) {
    expect(admitted({ host: 'localhost', authorization: wrong }), wrong.slice(0, 20)).toBe(
      'unauthorized',
    )
  }
  expect(admitted({ host: 'localhost' })).toBe('unauthorized')
  const board = admit(
    {
      way: 'tcp',
      address: '::1',
      headers: new Headers({ host: 'localhost', authorization: `Bearer ${OTHER}` }),
    },
    OPTIONS,
  )
  expect(() => requireScope(board, 'read')).not.toThrow()
  expect(() => requireScope(board, 'operate')).toThrow('operate')
})
