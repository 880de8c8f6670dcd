import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { CHANNELS } from '#core/market.ts'
import { isSymbolName } from '#core/symbols.ts'
import { CONFIG_KEYS, parseConfig } from '../../ingestor/config.ts'
import { symbolsUpToTier } from '../../ingestor/symbol-tiers.ts'

const DATABASE_URL = 'postgres://user:secret@localhost/booktape'

test('only the database must be set', () => {
  expect(parseConfig({ DATABASE_URL })).toMatchObject({
    ingestor_id: 'local',
    exchange: 'binance-futures',
    symbols: 'all',
    choice: {
      channels: CHANNELS,
      trade_stream: 'aggTrade',
      depth: { symbols: 'all', streams: ['diff'], interval_ms: 100 },
      include_coin_m: false,
    },
    depth_symbols: { kind: 'tier', tier: 1 },
    listing_interval_s: 3_600,
    patience_factor: 1,
    health: undefined,
  })
})

test('lists are trimmed, symbols keep their spelling, and each name counts once', () => {
  const config = parseConfig({
    DATABASE_URL,
    SYMBOLS: ' btcusdt, ETHUSDT,,btcusdt ',
    CHANNELS: 'trades',
  })
  expect(config.symbols).toEqual(['btcusdt', 'ETHUSDT'])
  expect(config.choice.channels).toEqual(['trades'])
})

test('a shard has a unique id, which does not depend on the number of shards', () => {
  const idOf = (SHARD: string): string => parseConfig({ DATABASE_URL, SHARD }).ingestor_id
  expect(['1/2', '2/2', '2/3', '1/1'].map(idOf)).toEqual([
    'local-shard-1',
    'local-shard-2',
    'local-shard-2',
    'local',
  ])
  expect(parseConfig({ DATABASE_URL, SHARD: '2/3', INGESTOR_ID: 'tokyo' })).toMatchObject({
    ingestor_id: 'tokyo',
    shard: { index: 2, count: 3 },
  })
  expect(parseConfig({ DATABASE_URL, SHARD: '1/1' }).shard).toBeUndefined()
  for (const wrong of ['0/2', '3/2', '1', '1/65', 'a/b', '1/2/3', '-1/2', '']) {
    expect(() => idOf(wrong), wrong).toThrow('SHARD must be i/n')
  }
})

for (const [DEPTH_SYMBOLS, expected] of [
  ['all', { kind: 'all' }],
  [' btcusdt, ETHUSDT,btcusdt', { kind: 'named', symbols: ['btcusdt', 'ETHUSDT'] }],
  ['busiest:50', { kind: 'busiest', count: 50 }],
] as const) {
  test(`DEPTH_SYMBOLS=${DEPTH_SYMBOLS}`, () => {
    expect(parseConfig({ DATABASE_URL, DEPTH_SYMBOLS }).depth_symbols).toEqual(expected)
  })
}

test('a tier includes all lower ones: 20, 70 and 200 symbols, none twice', () => {
  for (const [TIER, count] of [
    ['1', 20],
    ['2', 70],
    ['3', 200],
  ] as const) {
    const { depth_symbols } = parseConfig({ DATABASE_URL, TIER })
    const symbols = depth_symbols.kind === 'tier' ? symbolsUpToTier(depth_symbols.tier) : []
    expect(new Set(symbols).size).toBe(count)
    expect(symbols.every(isSymbolName)).toBe(true)
  }
})

for (const [name, env] of [
  ['two partial books, which would have the same key', { DEPTH_STREAMS: 'partial5,partial20' }],
  ['an admin API on the network without a token', { CONTROL_PORT: '8081' }],
  ['a token that is too short', { CONTROL_TOKENS: 'alice:read:short' }],
  ['an unknown depth stream', { DEPTH_STREAMS: 'diff,partial7' }],
  ['no depth stream at all', { DEPTH_STREAMS: ',' }],
  ['an unknown speed', { DEPTH_INTERVAL_MS: '1000' }],
  ['a speed of another exchange', { EXCHANGE: 'binance-spot', DEPTH_INTERVAL_MS: '250' }],
  [
    'a partial book on an exchange without partial books',
    { EXCHANGE: 'bybit-linear', DEPTH_STREAMS: 'diff,partial5' },
  ],
  ['a unit of time that the exchange does not offer', { TIME_UNIT: 'microsecond' }],
  ['every update of a partial book', { DEPTH_STREAMS: 'diff,partial5', DEPTH_INTERVAL_MS: '0' }],
  ['a fourth tier', { TIER: '4' }],
  ['an invalid count', { DEPTH_SYMBOLS: 'busiest:many' }],
  ['an invalid flag', { INCLUDE_COIN_M: 'yes' }],
  ['a listing read without a pause', { LISTING_INTERVAL_S: '1' }],
] as const) {
  test(`refused: ${name}`, () => {
    const [key = ''] = Object.keys(env).toReversed()
    expect(() => parseConfig({ DATABASE_URL, ...env })).toThrow(key)
  })
}

test('all problems are reported together, and no value that may be a secret', () => {
  const parse = (): unknown =>
    parseConfig({
      DATABASE_URL: 'mysql://root:secret@localhost/x',
      EXCHANGE: 'nowhere',
      EXCHANGE_WS_URL: 'https://example.com',
      SYMBOLS: 'BTC USDT',
      SHARD: '3/2',
      REST_WEIGHT_PER_MINUTE: 'all',
      CHANNELS: 'depth',
      TRADE_STREAM: 'all',
      TAPE_FSYNC_MS: '1e3',
      BATCH_ROWS_MAX: '-5',
      INGESTOR_ID: 'a b',
      LOG_LEVEL: 'loud',
    })
  for (const name of [
    'DATABASE_URL',
    'EXCHANGE ',
    'EXCHANGE_WS_URL',
    'SYMBOLS',
    'SHARD',
    'REST_WEIGHT_PER_MINUTE',
    'CHANNELS',
    'TRADE_STREAM',
    'TAPE_FSYNC_MS',
    'BATCH_ROWS_MAX',
    'INGESTOR_ID',
    'LOG_LEVEL',
  ]) {
    expect(parse).toThrow(name)
  }
  expect(parse).not.toThrow('secret')
})

test('.env.example has every key with its default', () => {
  const text = readFileSync(new URL('../../.env.example', import.meta.url), 'utf8')
  const section = text.slice(text.indexOf('# --- ingestor'))
  const listed = new Map(
    [...section.matchAll(/^(?:# )?([A-Z_]+)=(.*)$/gm)].map((match) => [match[1]!, match[2]!]),
  )
  for (const key of CONFIG_KEYS) expect(listed.has(key), key).toBe(true)
  const defaults = Object.fromEntries([...listed].filter(([key]) => CONFIG_KEYS.includes(key)))
  expect(parseConfig(defaults)).toEqual(parseConfig({ DATABASE_URL: defaults['DATABASE_URL'] }))
})

test("the exchange's address follows from its name, unless another is set", () => {
  expect(parseConfig({ DATABASE_URL, EXCHANGE: 'deribit' })).toMatchObject({
    ws_url: 'wss://www.deribit.com',
    rest_url: 'https://www.deribit.com',
  })
  expect(parseConfig({ DATABASE_URL }).ws_url).toBe('wss://fstream.binance.com')
  expect(parseConfig({ DATABASE_URL, EXCHANGE_REST_URL: 'http://localhost:1' })).toMatchObject({
    ws_url: 'wss://fstream.binance.com',
    rest_url: 'http://localhost:1',
  })
})
