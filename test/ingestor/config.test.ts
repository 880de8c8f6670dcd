import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { CONFIG_KEYS, parseConfig } from '../../ingestor/config.ts'

const DATABASE_URL = 'postgres://user:secret@localhost/booktape'

test('the database is all that has to be named', () => {
  expect(parseConfig({ DATABASE_URL })).toMatchObject({
    ingestor_id: 'local',
    exchange: 'binance-futures',
    symbols: 'all',
    choice: { channels: ['book_ticker', 'trades'], trade_stream: 'aggTrade' },
    health: undefined,
  })
})

test('lists are trimmed, put into upper case where symbols are meant, and each name counts once', () => {
  const config = parseConfig({ DATABASE_URL, SYMBOLS: ' btcusdt, ETHUSDT,,btcusdt ', CHANNELS: 'trades' })
  expect(config.symbols).toEqual(['BTCUSDT', 'ETHUSDT'])
  expect(config.choice.channels).toEqual(['trades'])
})

test('a shard has a name of its own, which does not depend on how many there are', () => {
  const idOf = (SHARD: string): string => parseConfig({ DATABASE_URL, SHARD }).ingestor_id
  expect(['1/2', '2/2', '2/3', '1/1'].map(idOf)).toEqual(['local-shard-1', 'local-shard-2', 'local-shard-2', 'local'])
  expect(parseConfig({ DATABASE_URL, SHARD: '2/3', INGESTOR_ID: 'tokyo' })).toMatchObject({
    ingestor_id: 'tokyo',
    shard: { index: 2, count: 3 },
  })
  expect(parseConfig({ DATABASE_URL, SHARD: '1/1' }).shard).toBeUndefined()
  for (const wrong of ['0/2', '3/2', '1', '1/65', 'a/b', '1/2/3', '-1/2', '']) {
    expect(() => idOf(wrong), wrong).toThrow('SHARD must be i/n')
  }
})

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
  for (const name of ['DATABASE_URL', 'EXCHANGE ', 'EXCHANGE_WS_URL', 'SYMBOLS', 'SHARD', 'REST_WEIGHT_PER_MINUTE', 'CHANNELS', 'TRADE_STREAM', 'TAPE_FSYNC_MS', 'BATCH_ROWS_MAX', 'INGESTOR_ID', 'LOG_LEVEL']) {
    expect(parse).toThrow(name)
  }
  expect(parse).not.toThrow('secret')
})

test('.env.example has every key with its default', () => {
  const text = readFileSync(new URL('../../.env.example', import.meta.url), 'utf8')
  const section = text.slice(text.indexOf('# --- ingestor'))
  const listed = new Map([...section.matchAll(/^(?:# )?([A-Z_]+)=(.*)$/gm)].map((match) => [match[1]!, match[2]!]))
  for (const key of CONFIG_KEYS) expect(listed.has(key), key).toBe(true)
  const defaults = Object.fromEntries([...listed].filter(([key]) => CONFIG_KEYS.includes(key)))
  expect(parseConfig(defaults)).toEqual(parseConfig({ DATABASE_URL: defaults['DATABASE_URL'] }))
})
