/** Compared with exact rationals of the decimal texts, for numbers of extreme sizes. */
import { expect, test } from 'vitest'
import {
  decimalOf,
  DecimalSum,
  difference,
  middle,
  nearest,
  plus,
  quotient,
  Scale,
  times,
} from '#core/decimals.ts'
import { isNearest, negated, product, ratio, rational, sum, total } from './rational.ts'

const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))

function randomTexts(seed: number): () => string {
  let state = seed
  const below = (end: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * end)
  }
  const market = { price: 0, qty: 0, length: 6 }
  return () => {
    // The tick changes, and sizes change with it.
    if (below(40) === 0) {
      market.price = below(12)
      market.length = 1 + below(15)
    }
    const digits = Array.from({ length: 1 + below(market.length) }, () => below(10)).join('')
    const form = below(30)
    if (form === 0) return `${digits}e-${below(12)}`
    if (form === 1) return `${digits}e+${below(9)}`
    const padded = digits.padStart(market.price + 1, '0')
    const point = padded.length - market.price
    return market.price === 0 ? padded : `${padded.slice(0, point)}.${padded.slice(point)}`
  }
}

test(`sums, products, mids, differences and quotients are the nearest doubles (seed ${SEED})`, () => {
  const next = randomTexts(SEED)
  const [prices, qtys] = [new Scale(), new Scale()]
  for (let round = 0; round < 300; round++) {
    const [volume, notional] = [new DecimalSum(), new DecimalSum()]
    const pairs = Array.from({ length: 1 + (round % 40) }, () => [next(), next()] as const)
    for (const [p, q] of pairs) {
      const [price, qty] = [Number(p), Number(q)]
      expect(isNearest(nearest(decimalOf(price)), rational(p)), p).toBe(true)
      const [a, b] = [rational(p), rational(q)]
      expect(isNearest(difference(price, qty), sum(a, negated(b))), `${p} - ${q}`).toBe(true)
      const mid = ratio(sum(a, b), rational('2'))
      expect(isNearest(middle(price, qty), mid), `(${p} + ${q}) / 2`).toBe(true)
      expect(prices.middle(price, qty)).toBe(middle(price, qty))
      volume.add(qtys, qty)
      notional.addProduct(prices, price, qtys, qty)
    }
    const exact_volume = total(pairs.map(([, q]) => rational(q)))
    const exact_notional = total(pairs.map(([p, q]) => product(rational(p), rational(q))))
    expect(isNearest(nearest(volume.value), exact_volume)).toBe(true)
    expect(isNearest(nearest(notional.value), exact_notional)).toBe(true)
    const vwap = quotient(notional.value, volume.value)
    if (exact_volume.top === 0n) expect(vwap).toBeNaN()
    else expect(isNearest(vwap, ratio(exact_notional, exact_volume))).toBe(true)
  }
})

test('values that used to show rounding noise are exactly what the exchange would write', () => {
  expect(difference(61800.1, 61800)).toBe(0.1)
  expect(middle(61800.1, 61800.2)).toBe(61800.15)
  expect(nearest(plus(decimalOf(1.1), decimalOf(0.675)))).toBe(1.775)
  expect(nearest(times(decimalOf(0.00000012), decimalOf(123456789012)))).toBe(14814.81468144)
})

test('subtracting everything that was added gives 0, not -0', () => {
  const [balance, scale] = [new DecimalSum(), new Scale()]
  for (const value of [0.1, 1e15, 3e-9, 0.7]) balance.add(scale, value)
  for (const value of [0.7, 3e-9, 1e15, 0.1]) balance.subtract(scale, value)
  expect(nearest(balance.value)).toBe(0)
  expect(difference(0.3, 0.3)).toBe(0)
})

test('an empty side has no mid and no spread', () => {
  expect(middle(NaN, 1)).toBeNaN()
  expect(difference(1, NaN)).toBeNaN()
  expect(new Scale().middle(1, NaN)).toBeNaN()
})

test('a product too long for a double is added once, whatever the sum was before', () => {
  const [notional, prices, qtys] = [new DecimalSum(), new Scale(), new Scale()]
  notional.addProduct(prices, -1e9, qtys, 1)
  notional.addProduct(prices, 94_906_267, qtys, 94_906_266)
  expect(notional.value.units).toBe(94_906_267n * 94_906_266n - 1_000_000_000n)
})
