import { expect, test } from 'vitest'
import { chooseSymbols } from '../../ingestor/symbol-choice.ts'
import { shardOf, SHARD_COUNT_MAX, symbolsOfShard } from '../../ingestor/shard.ts'

const SYMBOLS = Array.from({ length: 600 }, (_, index) => `SYM${index}USDT`)

test('every symbol belongs to exactly one shard, and the shares are about equal', () => {
  for (const count of [1, 2, 3, 7, 16]) {
    const shares = Array.from({ length: count }, (_, at) =>
      symbolsOfShard(SYMBOLS, { index: at + 1, count }),
    )
    expect(shares.flat().toSorted()).toEqual(SYMBOLS.toSorted())
    const fair = SYMBOLS.length / count
    for (const share of shares)
      expect(Math.abs(share.length - fair)).toBeLessThan(5 * Math.sqrt(fair) + 1)
  }
})

test('one shard more takes about 1/(n+1) of the symbols and moves none between the others', () => {
  for (const count of [1, 2, 3, 4, 9, SHARD_COUNT_MAX - 1]) {
    const moved = SYMBOLS.filter((symbol) => shardOf(symbol, count) !== shardOf(symbol, count + 1))
    expect(moved.every((symbol) => shardOf(symbol, count + 1) === count + 1)).toBe(true)
    const fair = SYMBOLS.length / (count + 1)
    expect(Math.abs(moved.length - fair)).toBeLessThan(5 * Math.sqrt(fair) + 1)
  }
})

// A change of the hash would move symbols between running ingestors.
test('the shares have not changed', () => {
  const symbols = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT', 'XRPUSDT', '币安人生USDT']
  expect(symbols.map((symbol) => shardOf(symbol, 5))).toEqual([2, 2, 5, 5, 1])
})

test('a shard that gets none of the symbols says so instead of recording nothing', () => {
  const listed = {
    exchange: 'binance-futures',
    symbol: 'BTCUSDT',
    instrument_type: 'perp',
    base_asset: 'BTC',
    quote_asset: 'USDT',
    is_active: true,
    tick_size: 0.1,
    step_size: 0.001,
  } as const
  const choose = (index: number): readonly string[] =>
    chooseSymbols(
      { symbols: 'all', shard: { index, count: 5 } },
      { instruments: [listed], left_out: [] },
    )
  expect(choose(2)).toEqual(['BTCUSDT'])
  expect(() => choose(1)).toThrow('Shard 1/5 has none of the 1 symbols.')
})
