import { expect, test } from 'vitest'
import { parseConfig, parseSpeed } from '../../../infra/exchange/config.ts'

test('without settings it is a simulation of 200 symbols on a free port', () => {
  expect(parseConfig({})).toEqual({
    log_level: 'info',
    exchange: {
      port: 0,
      source: { kind: 'sim', seed: 1, symbols: 200, events_per_s: 1_500 },
      slow_client: 'cut',
      fault_seed: 1,
      limits: {},
    },
  })
})

test('EXCHANGE selects spot, with its limits except for those that are set', () => {
  const { exchange } = parseConfig({
    EXCHANGE: 'binance-spot',
    PONG_LIMIT_S: '2.5',
    WEIGHT_PER_MINUTE: '60',
  })
  expect(exchange).toMatchObject({ venue: 'binance-spot' })
  expect(exchange.limits).toEqual({ pong_limit_ms: 2_500, weight_per_minute_max: 60 })
})

test('a replay has files and a speed, and waits for slow clients', () => {
  const { exchange } = parseConfig({
    EXCHANGE_SOURCE: 'replay',
    RECORDINGS: '["a.gz", "two, of a day.gz"]',
    REPLAY_SPEED: '2.5x',
  })
  expect(exchange).toMatchObject({
    source: { kind: 'replay', files: ['a.gz', 'two, of a day.gz'], speed: 2.5 },
    slow_client: 'wait',
  })
})

test('symbols become upper case, and duplicates are removed', () => {
  const { exchange } = parseConfig({ SYMBOLS: 'btcusdt,BTCUSDT, ethusdt ,' })
  expect(exchange.source).toMatchObject({ symbols: ['BTCUSDT', 'ETHUSDT'] })
})

test('all problems are reported at once', () => {
  const env = {
    PORT: '70000',
    EXCHANGE_SOURCE: 'replay',
    REPLAY_SPEED: 'fast',
    SYMBOL_COUNT: '2.5',
    SEED: 'x',
    SYMBOLS: 'BTC/USDT',
    EVENTS_PER_S: '0',
    SLOW_CLIENT: 'kick',
    EXCHANGE: 'nyse',
    PING_INTERVAL_S: '0',
  }
  expect(() => parseConfig(env)).toThrow(
    /PORT .*must be .*EXCHANGE .*must be .*SYMBOLS must be .*SYMBOL_COUNT is '2.5', but must be .*EVENTS_PER_S .*must be .*SEED is 'x', but must be .*REPLAY_SPEED must be .*SLOW_CLIENT .*must be .*PING_INTERVAL_S .*must be .*RECORDINGS must be set/,
  )
})

test('an empty variable counts as not set', () => {
  expect(parseConfig({ SYMBOL_COUNT: '', EXCHANGE: '', PONG_LIMIT_S: '' })).toEqual(parseConfig({}))
})

test('speeds', () => {
  for (const [text, expected] of [
    ['max', 'max'],
    ['real', 1],
    ['10x', 10],
    ['0.5x', 0.5],
    ['0x', undefined],
    ['10', undefined],
    ['-1x', undefined],
    ['', undefined],
  ] as const) {
    expect(parseSpeed(text), text).toBe(expected)
  }
})
