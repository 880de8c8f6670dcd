/** Delta encoding against hyparquet's decoder, which shares no code with it. */
import { deltaBinaryUnpack } from 'hyparquet/src/delta.js'
import { expect, test } from 'vitest'
import { encodeDelta } from '../../../jobs/parquet/delta.ts'

function decode(bytes: Uint8Array, count: number): readonly number[] {
  const out = new BigInt64Array(count)
  deltaBinaryUnpack(
    { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 },
    count,
    out,
  )
  return Array.from(out, Number)
}

const steps = (count: number, step: (i: number) => number): number[] => {
  let value = 1_723_120_000_000_001
  return Array.from({ length: count }, (_, i) => (value += step(i)))
}

for (const [name, values] of [
  ['one value', [42]],
  ['a negative first value', [-7, -9, 12]],
  ['exactly two blocks', steps(257, (i) => i % 7)],
  ['one more than a block', steps(129, () => 1_000)],
  ['all the same', steps(500, () => 0)],
  ['falling', steps(300, (i) => -i * i)],
  ['widths around 24, 32 and 48 bits', steps(600, (i) => 2 ** (i % 49) - 1)],
  ['alternating by the largest exact difference', [0, 2 ** 52, 0, 2 ** 52, 1]],
  ['from one end to the other', [-(2 ** 51), 2 ** 51, -(2 ** 51), 5]],
] as const) {
  test(`delta: ${name}`, () => {
    const bytes = encodeDelta(Float64Array.from(values))
    expect(decode(bytes!, values.length)).toEqual([...values])
  })
}

test('delta: values of every magnitude and sign survive a round trip', () => {
  let state = 1
  const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
  for (let round = 0; round < 50; round++) {
    const values = Array.from(
      { length: 1 + round * 13 },
      () =>
        Math.trunc(random() * 2 ** (1 + random() * 50)) -
        Math.trunc(random() * 2 ** (random() * 50)),
    )
    expect(decode(encodeDelta(Float64Array.from(values))!, values.length)).toEqual(values)
  }
})

for (const [name, values] of [
  ['a first value', [2 ** 53 - 1, 2 ** 53 - 1]],
  ['a difference', [2 ** 52, -1]],
] as const) {
  test(`delta: ${name} that is too large for exact arithmetic is left to another encoding`, () => {
    expect(encodeDelta(Float64Array.from(values))).toBeUndefined()
  })
}
