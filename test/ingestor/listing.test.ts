import { afterAll, expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import type { Instrument } from '#core/symbols.ts'
import { startExchange } from '../../infra/exchange/server.ts'
import { binance_futures } from '../../ingestor/exchanges/binance-futures/adapter.ts'
import { chooseDepth } from '../../ingestor/listing.ts'
import { chooseAgain, chooseSymbols } from '../../ingestor/symbol-choice.ts'
import { TIERS } from '../../ingestor/symbol-tiers.ts'
import { createClock } from '../../ingestor/transport/clock.ts'
import { createRestClient } from '../../ingestor/transport/rest-client.ts'
import { until } from './support.ts'

const exchange = await startExchange({
  port: 0,
  source: { kind: 'sim', seed: 1, symbols: 12, events_per_s: 10_000 },
})
const rest = createRestClient({
  clock: createClock(),
  base_url: exchange.url,
  limits: binance_futures.rest_limits,
  log: silentLogger,
})
afterAll(async () => {
  rest.stop()
  await exchange.stop()
})

function instrument(symbol: string, change: Partial<Instrument> = {}): Instrument {
  return {
    exchange: 'binance-futures',
    symbol,
    instrument_type: 'perp',
    base_asset: 'X',
    quote_asset: 'USDT',
    is_active: true,
    tick_size: 0.1,
    step_size: 1,
    ...change,
  }
}

const chooseListed = (symbols: 'all' | readonly string[], instruments: readonly Instrument[]) =>
  chooseSymbols({ symbols, shard: undefined }, { instruments, left_out: [] })

const choose = (wanted: Parameters<typeof chooseDepth>[0], symbols: readonly string[]) =>
  chooseDepth(wanted, symbols, rest, binance_futures, silentLogger, new AbortController().signal)

test('the busiest are the recorded symbols with the most turnover at the exchange', async () => {
  const turnover = async (): Promise<ReadonlyMap<string, number>> => {
    const answer = await rest.get(binance_futures.turnover!)
    return binance_futures.turnover!.parse(answer.body)
  }
  await until('every symbol traded', async () =>
    [...(await turnover()).values()].every((volume) => volume > 0),
  )
  const symbols = [...(await turnover()).keys()].filter((symbol) => symbol !== 'BTCUSDT')
  const chosen = await choose({ kind: 'busiest', count: 3 }, symbols)
  expect(chosen).toHaveLength(3)
  expect(chosen).not.toContain('BTCUSDT')
  const by_symbol = await turnover()
  const least = Math.min(...(chosen as readonly string[]).map((symbol) => by_symbol.get(symbol)!))
  const others = symbols.filter((symbol) => !chosen.includes(symbol))
  // Trading continued between the two requests.
  for (const symbol of others) expect(by_symbol.get(symbol)! * 0.5).toBeLessThan(least)
})

test('a tier may include symbols that are not recorded; a list may not', async () => {
  const symbols = ['BTCUSDT', 'ETHUSDT']
  expect(await choose({ kind: 'tier', tier: 1 }, symbols)).toEqual(TIERS[0])
  expect(await choose({ kind: 'named', symbols: ['ETHUSDT'] }, symbols)).toEqual(['ETHUSDT'])
  expect(await choose({ kind: 'all' }, symbols)).toBe('all')
  await expect(
    choose({ kind: 'named', symbols: ['ETHUSDT', 'GONEUSDT'] }, symbols),
  ).rejects.toThrow('DEPTH_SYMBOLS names GONEUSDT, which SYMBOLS does not include')
})

test('the busiest cannot be chosen on an exchange without turnover', async () => {
  const { turnover: _, ...adapter } = binance_futures
  const asked = chooseDepth(
    { kind: 'busiest', count: 1 },
    ['A'],
    rest,
    adapter,
    silentLogger,
    new AbortController().signal,
  )
  await expect(asked).rejects.toMatchObject({ code: 'no_turnover' })
})

test("'all' includes active perpetuals and spot pairs in USDT and indexes, but no dated contract", () => {
  const listed = [
    instrument('BTCUSDT'),
    instrument('BTCUSDT_260925', { instrument_type: 'future' }),
    instrument('BTCUSDC', { quote_asset: 'USDC' }),
    instrument('OLDUSDT', { is_active: false }),
    instrument('ETHUSDT', { instrument_type: 'spot' }),
    instrument('btc_usd', { instrument_type: 'index', quote_asset: 'USD' }),
  ]
  expect(chooseListed('all', listed)).toEqual(['BTCUSDT', 'ETHUSDT', 'btc_usd'])
})

test('names match exactly, or in another case if only one matches', () => {
  const listed = ['BTCUSDT', 'btc_usd', 'AbcUSDT', 'ABCUSDT', '人生K线USDT', 'XRPUSDT-05JUN26'].map(
    (name) => instrument(name),
  )
  expect(
    chooseListed(
      ['btcusdt', 'BTCUSDT', 'BTC_USD', 'AbcUSDT', '人生k线usdt', 'XRPUSDT-05JUN26'],
      listed,
    ),
  ).toEqual(['BTCUSDT', 'btc_usd', 'AbcUSDT', '人生K线USDT', 'XRPUSDT-05JUN26'])
  expect(() => chooseListed(['abcusdt'], listed)).toThrow('abcusdt may be AbcUSDT or ABCUSDT')
})

test('a listed name that cannot be recorded is refused with the reason', () => {
  const left_out = [
    { name: 'A/BUSDT', reason: 'names are letters' },
    { name: 'NOTUSDT', reason: 'tickSize: found nothing' },
  ]
  const chooseSome = (...symbols: readonly string[]) =>
    chooseSymbols({ symbols, shard: undefined }, { instruments: [instrument('BTCUSDT')], left_out })
  expect(() => chooseSome('BTCUSDT', 'NOTUSDT', 'GONEUSDT')).toThrow(
    'NOTUSDT cannot be recorded (tickSize: found nothing); no active one is named GONEUSDT',
  )
  expect(chooseSome('BTCUSDT')).toEqual(['BTCUSDT'])
})

for (const [name, symbols, listed, before, expected] of [
  [
    'a new symbol is added if all are recorded',
    'all',
    [instrument('A'), instrument('NEW')],
    ['A'],
    ['A', 'NEW'],
  ],
  ['and ignored if others were named', ['A'], [instrument('A'), instrument('NEW')], ['A'], ['A']],
  [
    'a delisted name is left out',
    ['A', 'B'],
    [instrument('A'), instrument('B', { is_active: false })],
    ['A', 'B'],
    ['A'],
  ],
  ['and comes back', ['A', 'B'], [instrument('A'), instrument('B')], ['A'], ['A', 'B']],
  [
    'an exchange that briefly lists nothing ends nothing',
    'all',
    [instrument('A', { is_active: false })],
    ['A'],
    ['A'],
  ],
] as const) {
  test(`the listing changed: ${name}`, () => {
    expect(chooseAgain({ symbols, shard: undefined }, listed, before)).toEqual(expected)
  })
}

test('a shard takes only its share of a new listing', () => {
  const names = Array.from({ length: 40 }, (_, index) => `S${index}USDT`)
  const listed = names.map((symbol) => instrument(symbol))
  const shares = [1, 2, 3].map((index) =>
    chooseAgain({ symbols: 'all', shard: { index, count: 3 } }, listed, []),
  )
  expect(shares.flat().toSorted()).toEqual(names.toSorted())
})
