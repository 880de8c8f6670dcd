import { expect, test } from 'vitest'
import { decimalsOf, isSymbolName } from '#core/symbols.ts'

for (const name of [
  'BTCUSDT',
  '1000PEPEUSDT',
  'BTCUSDT_260925',
  'XRPUSDT-05JUN26',
  'BRK.BUSDT',
  '.BXBT',
  'drbfix-btc_usdc',
  '币安人生USDT',
  '人生K线USDT',
  'कखि_USDT',
  'A'.repeat(64),
]) {
  test(`${name} is a symbol`, () => expect(isSymbolName(name)).toBe(true))
}

for (const name of [
  '',
  '.',
  '..',
  '-',
  '__',
  'A B',
  'A/B',
  'A@B',
  'A,B',
  'A\n',
  'A?',
  'A%',
  'A'.repeat(65),
]) {
  test(`${JSON.stringify(name)} is not a symbol`, () => expect(isSymbolName(name)).toBe(false))
}

for (const [step, decimals] of [
  [0.001, 3],
  [1, 0],
  [10, 0],
  [1e-8, 8],
  [2.5e-8, 9],
  [1e-13, 13],
  [1e21, 0],
] as const) {
  test(`a step of ${step} has ${decimals} decimals`, () => expect(decimalsOf(step)).toBe(decimals))
}
