import { expect, test } from 'vitest'
import { OperatorError } from '#core/errors.ts'
import { parseConfig } from '../../jobs/config.ts'

const GOOD = {
  DATABASE_URL: 'postgres://u:hidden@h/db',
  S3_ENDPOINT: 'https://fra1.digitaloceanspaces.com',
  S3_BUCKET: 'booktape',
  S3_REGION: 'fra1',
  S3_ACCESS_KEY_ID: 'k',
  S3_SECRET_ACCESS_KEY: 's',
  WORK_DIR: '/var/lib/booktape/work',
}

test('unset variables have their defaults, and the result is frozen', () => {
  const config = parseConfig(GOOD)
  expect(config).toMatchObject({
    log_level: 'info',
    intraday_features_s: 0,
    object_store: { bucket: 'booktape' },
  })
  expect(Object.isFrozen(config)).toBe(true)
  expect(parseConfig({ ...GOOD, INTRADAY_FEATURES_S: '60' }).intraday_features_s).toBe(60)
})

test('all problems are reported together, without repeating a password', () => {
  let error: unknown
  try {
    parseConfig({
      ...GOOD,
      DATABASE_URL: 'hidden@h',
      S3_ENDPOINT: 'ftp://x',
      S3_BUCKET: ' ',
      WORK_DIR: undefined,
      LOG_LEVEL: 'loud',
      INTRADAY_FEATURES_S: '1.5',
    })
  } catch (caught) {
    error = caught
  }
  expect(error).toBeInstanceOf(OperatorError)
  const { message } = error as OperatorError
  for (const name of [
    'DATABASE_URL',
    'S3_ENDPOINT',
    'S3_BUCKET',
    'WORK_DIR',
    'LOG_LEVEL',
    'INTRADAY_FEATURES_S',
  ]) {
    expect(message).toContain(name)
  }
  expect(message).not.toContain('hidden')
})

for (const seconds of ['-1', 'x', '86401', 'Infinity']) {
  test(`INTRADAY_FEATURES_S=${seconds} is refused`, () => {
    expect(() => parseConfig({ ...GOOD, INTRADAY_FEATURES_S: seconds })).toThrow(
      'INTRADAY_FEATURES_S',
    )
  })
}

test('rollups run every 30 s, as often as configured, or never', () => {
  expect(parseConfig(GOOD).rollups_every_s).toBe(30)
  expect(parseConfig({ ...GOOD, ROLLUPS_EVERY_S: '0' }).rollups_every_s).toBe(0)
  for (const seconds of ['-1', '1.5', '3601', 'x']) {
    expect(() => parseConfig({ ...GOOD, ROLLUPS_EVERY_S: seconds }), seconds).toThrow(
      'ROLLUPS_EVERY_S',
    )
  }
})

test('index prices are polled only if configured', () => {
  expect(parseConfig(GOOD).index_prices).toBeUndefined()
  expect(parseConfig({ ...GOOD, INDEX_PRICES: 'poll' }).index_prices).toEqual({
    rest_url: 'https://www.deribit.com',
    names: ['btc_usd', 'eth_usd'],
  })
  const names = {
    ...GOOD,
    INDEX_PRICES: 'poll',
    INDEX_NAMES: ' sol_usd, sol_usd,',
    DERIBIT_REST_URL: 'http://x',
  }
  expect(parseConfig(names).index_prices).toEqual({ rest_url: 'http://x', names: ['sol_usd'] })
  for (const [name, value] of [
    ['INDEX_PRICES', 'socket'],
    ['INDEX_NAMES', ' , '],
    ['INDEX_NAMES', 'btc usd'],
    ['DERIBIT_REST_URL', 'ftp://x'],
  ] as const) {
    expect(() => parseConfig({ ...GOOD, [name]: value }), value).toThrow(name)
  }
})
