import { describe, expect, test } from 'vitest'
import { createVerifier, mintToken, TOKEN_DAYS_MAX } from '#core/access-token.ts'
import { fromMillis, micros, SECOND_US } from '#core/time.ts'

const SECRET = 'a secret of the tests, long enough to be one'
const OTHER = 'another secret of the tests, as long as that'
const NOW = fromMillis(Date.UTC(2026, 10, 21))
const DAY_US = 86_400 * SECOND_US

const minted = await mintToken(SECRET, ['datasets', 'read'], 30, NOW)
const [version, payload, signature] = minted.text.split('.') as [string, string, string]
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

async function verdictOf(text: string, now = NOW, secrets = [SECRET]): Promise<string> {
  return (await createVerifier(secrets)(text, now)).kind
}

test('a token has an id, scopes in order, and an expiry', async () => {
  const verdict = await createVerifier([SECRET])(minted.text, NOW)
  const issued_at = NOW / SECOND_US
  expect(verdict).toEqual({
    kind: 'valid',
    token: {
      id: expect.stringMatching(/^[a-f0-9]{24}$/) as string,
      scopes: ['read', 'datasets'],
      issued_at,
      expires_at: issued_at + 30 * 86_400,
    },
  })
})

describe('refused', () => {
  const forged = { ...minted.payload, scopes: ['ops'] }
  for (const [name, text] of [
    ['nothing', ''],
    ['the scopes changed', `${version}.${encode(forged)}.${signature}`],
    ['an empty signature', `${version}.${payload}.`],
    ['no signature', `${version}.${payload}`],
    ['a signature cut short', `${version}.${payload}.${signature.slice(0, -2)}`],
    ['a signature written another way', `${version}.${payload}.${signature}=`],
    ['bits after the signature', `${version}.${payload}.${signature}.x`],
    ['another version', `bt2.${payload}.${signature}`],
    ['a JSON web token without an algorithm', `${encode({ alg: 'none' })}.${payload}.`],
    ['a very long text', `${version}.${'A'.repeat(5_000)}.${signature}`],
    ['text that is no base64url', `${version}.%00.${signature}`],
  ] as const) {
    test(name, async () => expect(await verdictOf(text)).toBe('invalid'))
  }

  test('every single altered character', async () => {
    const verify = createVerifier([SECRET])
    for (let at = 0; at < minted.text.length; at++) {
      const changed = minted.text[at] === 'A' ? 'B' : 'A'
      const text = minted.text.slice(0, at) + changed + minted.text.slice(at + 1)
      expect((await verify(text, NOW)).kind, `character ${at}`).toBe('invalid')
    }
  })

  test('a token of another installation', async () => {
    expect(await verdictOf(minted.text, NOW, [OTHER])).toBe('invalid')
  })

  test('a token from the future, unless the clock is only slightly ahead', async () => {
    expect(await verdictOf(minted.text, micros(NOW - 120 * SECOND_US))).toBe('invalid')
    expect(await verdictOf(minted.text, micros(NOW - 30 * SECOND_US))).toBe('valid')
  })

  test('an expired token is distinguished, so that its bearer knows what to do', async () => {
    expect(await verdictOf(minted.text, micros(NOW + 30 * DAY_US - SECOND_US))).toBe('valid')
    expect(await verdictOf(minted.text, micros(NOW + 30 * DAY_US))).toBe('expired')
  })
})

test('during a rotation tokens of both secrets are valid', async () => {
  const renewed = await mintToken(OTHER, ['read'], 1, NOW)
  for (const text of [minted.text, renewed.text]) {
    expect(await verdictOf(text, NOW, [OTHER, SECRET])).toBe('valid')
  }
})

for (const days of [0, -1, 1.5, TOKEN_DAYS_MAX + 1, NaN]) {
  test(`${days} days are refused with the limits`, async () => {
    await expect(mintToken(SECRET, ['read'], days, NOW)).rejects.toMatchObject({ code: 'bad_days' })
  })
}

test('a short secret is refused on both sides', async () => {
  await expect(mintToken('short', ['read'], 1, NOW)).rejects.toMatchObject({ code: 'bad_secret' })
  expect(() => createVerifier(['short'])).toThrow('too short')
})
