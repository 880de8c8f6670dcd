/** Small parsers and formatters: times, decimals, cursors, S3's listings, bindings. */
import { describe, expect, test } from 'vitest'
import { micros, toIso } from '#core/time.ts'
import { parseConfig } from '../../edge-api/config.ts'
import { parseTimestamp } from '../../edge-api/queries/database.ts'
import { parseTime } from '../../edge-api/schemas/time-parameter.ts'
import { parseListObjects } from '../../edge-api/store/list-objects-xml.ts'
import { decodeCursor, encodeCursor, TIME_AND_ID } from '../../edge-api/tables/cursor.ts'
import { decimalText } from '#core/decimal-text.ts'

describe('time parameters', () => {
  for (const [text, expected] of [
    ['2024-08-08T23:54:16.313Z', '2024-08-08T23:54:16.313000Z'],
    ['2024-08-08T23:54:16.313001Z', '2024-08-08T23:54:16.313001Z'],
    ['2024-08-08T23:54Z', '2024-08-08T23:54:00.000000Z'],
    ['2024-08-08', '2024-08-08T00:00:00.000000Z'],
    ['2024-08-08T23:54:16-05:30', '2024-08-09T05:24:16.000000Z'],
    ['2024-08-09T01:54:16 02:00', '2024-08-08T23:54:16.000000Z'],
    ['0', '1970-01-01T00:00:00.000000Z'],
    ['1723161256', '2024-08-08T23:54:16.000000Z'],
    ['1723161256.313', '2024-08-08T23:54:16.313000Z'],
    ['1723161256313', '2024-08-08T23:54:16.313000Z'],
    ['1723161256313.001', '2024-08-08T23:54:16.313001Z'],
    ['1723161256313001', '2024-08-08T23:54:16.313001Z'],
    // The largest and smallest of each unit.
    ['7258118399', '2199-12-31T23:59:59.000000Z'],
    ['100000000000', '1973-03-03T09:46:40.000000Z'],
    ['100000000000000', '1973-03-03T09:46:40.000000Z'],
  ] as const) {
    test(`${text} is ${expected}`, () => expect(toIso(parseTime(text)!)).toBe(expected))
  }

  for (const text of [
    '',
    ' ',
    'now',
    '-1',
    '1e9',
    '0x10',
    '1_000',
    '٣',
    '2024-13-01',
    '2024-02-30T00:00Z',
    '2024-08-08T24:00:00Z',
    '2024-08-08T23:60Z',
    '2024-08-08T23:54:16',
    '2024-08-08 23:54:16Z',
    '2024-08-08T23:54:16.1234567Z',
    '2024-08-08T23:54Z; select 1',
    '99999999999',
    '1969-12-31',
    '1970-01-01T00:00:00+01:00',
    '2200-01-01',
    '1'.repeat(400),
  ]) {
    test(`"${text.slice(0, 40)}" is refused`, () => expect(parseTime(text)).toBeUndefined())
  }
})

for (const [value, decimals, expected] of [
  [61800.2, 2, '61800.20'],
  [1, 0, '1'],
  [0.1, 1, '0.1'],
  [61800.125, 2, '61800.125'],
  [0.1 + 0.2, 2, '0.30000000000000004'],
  [1e-8, null, '0.00000001'],
  [1.5e-7, 3, '0.00000015'],
  [-2.5e-10, null, '-0.00000000025'],
  [1e21, 2, '1000000000000000000000'],
  [1.25e22, null, '12500000000000000000000'],
  [0, 3, '0.000'],
] as const) {
  test(`${value} with ${decimals} decimals is ${expected}`, () => {
    expect(decimalText(value, decimals)).toBe(expected)
    expect(Number(expected)).toBe(value)
  })
}

test('cursors round-trip, up to the largest', () => {
  for (const [ts, id] of [
    [0, 0],
    [1_723_161_256_313_001, 5_045_622_456_123],
    [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  ] as const) {
    expect(decodeCursor(encodeCursor([micros(ts), id]), TIME_AND_ID)).toEqual([ts, id])
  }
  const kinds = ['time', 'word', 'number', 'number'] as const
  const liquidation = [micros(1_723_161_256_313_001), 'sell', 61_800.2, 1e-8] as const
  expect(decodeCursor(encodeCursor(liquidation), kinds)).toEqual(liquidation)
})

const PLAIN = '1|1,2,3|-1,2|1;2|1,2.5|01,2|1,+2|1,Infinity|1,1e3|a,1|1,|1, 2'

for (const text of ['', 'A', 'MSwy='.repeat(30), 'ü', ...PLAIN.split('|').map(btoa)]) {
  test(`${JSON.stringify(text)} is not a cursor`, () => {
    expect(decodeCursor(text.replace(/=+$/, ''), TIME_AND_ID)).toBeUndefined()
  })
}

test("Postgres' timestamps keep their microseconds; another zone is an error, not a wrong hour", () => {
  expect(toIso(parseTimestamp('2024-08-08 23:54:16.000001+00'))).toBe('2024-08-08T23:54:16.000001Z')
  expect(toIso(parseTimestamp('2024-08-08 23:54:16+00'))).toBe('2024-08-08T23:54:16.000000Z')
  expect(() => parseTimestamp('2024-08-08 23:54:16+02')).toThrow(/UTC/)
})

describe("S3's listing", () => {
  test('keys with escaped characters, folders and the continuation are read', () => {
    const page = parseListObjects(`<?xml version="1.0" encoding="UTF-8"?>
      <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Prefix>datasets/</Prefix>
      <IsTruncated>true</IsTruncated><NextContinuationToken>a&amp;b=</NextContinuationToken>
      <Contents><Key>a&lt;&#x62;&#99;&quot;&apos;&amp;amp;</Key><Size>7</Size></Contents>
      <Contents><ETag>&quot;x&quot;</ETag><Key>d e</Key></Contents>
      <CommonPrefixes><Prefix>datasets/x/</Prefix></CommonPrefixes></ListBucketResult>`)
    expect(page).toEqual({
      keys: ['a<bc"\'&amp;', 'd e'],
      folders: ['datasets/x/'],
      continuation_token: 'a&b=',
    })
  })

  test('an empty listing is valid; another, truncated or tokenless document is not', () => {
    const none = { keys: [], folders: [], continuation_token: undefined }
    expect(
      parseListObjects('<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>'),
    ).toEqual(none)
    for (const xml of [
      '',
      '<Error><Code>AccessDenied</Code></Error>',
      '<html><body>Login</body></html>',
      '<ListBucketResult><Contents><Key>a</Key></Contents>',
      '<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>',
    ]) {
      expect(parseListObjects(xml)).toBeUndefined()
    }
  })
})

describe('bindings', () => {
  const good = {
    DATABASE_URL: 'postgres://u:p@db/booktape',
    GATEWAY_URL: 'https://gateway.example.org/',
    GATEWAY_SECRET: 'secret',
    S3_ENDPOINT: 'https://fra1.example.org',
    S3_BUCKET: 'booktape',
    S3_REGION: 'fra1',
    S3_ACCESS_KEY_ID: 'id',
    S3_SECRET_ACCESS_KEY: 'key',
    TOKEN_SECRET: 'a secret for the tokens of this test',
  }

  test('a URL loses its last slash, and URLs are signed for an hour by default', () => {
    expect(parseConfig(good)).toMatchObject({
      gateway_url: 'https://gateway.example.org',
      signed_url_ttl_s: 3_600,
    })
  })

  test('every problem is named at once, without the values', () => {
    const bad = {
      ...good,
      DATABASE_URL: 'mysql://u:hidden@db/x',
      S3_BUCKET: 'a/b',
      SIGNED_URL_TTL_S: '604801',
      GATEWAY_SECRET: '',
    }
    const names =
      /DATABASE_URL .*GATEWAY_SECRET .*S3_BUCKET .*SIGNED_URL_TTL_S must be at most 604800/
    expect(() => parseConfig(bad)).toThrow(names)
    expect(() => parseConfig(bad)).not.toThrow(/hidden|a\/b/)
    expect(() => parseConfig(undefined)).toThrow(/bindings are not usable/)
  })
})
