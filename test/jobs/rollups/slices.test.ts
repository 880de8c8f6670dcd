import { expect, test } from 'vitest'
import { HOUR_US, micros, SECOND_US } from '#core/time.ts'
import { cutSpans } from '../../../jobs/rollups/slices.ts'
import { targetOf } from '../../../jobs/rollups/target.ts'

const minutes = (count: number): number => count * 60 * SECOND_US
const HOURS = [micros(0), micros(HOUR_US), micros(3 * HOUR_US)]

test('a time becomes its whole second, and spans of one cell become one slice over all of them', () => {
  const spans = [
    { symbol_id: 7, from: 5.25 * SECOND_US, to: 5.25 * SECOND_US + 1 },
    { symbol_id: 8, from: 9 * SECOND_US, to: 10 * SECOND_US },
    { symbol_id: 7, from: 299.999 * SECOND_US, to: 300 * SECOND_US + 1 },
  ]
  expect(cutSpans(spans, HOURS)).toEqual([
    { from: 5 * SECOND_US, to: 300 * SECOND_US, symbol_ids: [7, 8] },
    { from: 300 * SECOND_US, to: 301 * SECOND_US, symbol_ids: [7] },
  ])
})

test('a span without ends is cut to the existing hours', () => {
  const slices = cutSpans([{ symbol_id: 1, from: -Infinity, to: Infinity }], HOURS)
  expect(slices).toHaveLength(36)
  expect(slices[0]!.from).toBe(0)
  expect(slices[24]!.from).toBe(3 * HOUR_US)
  expect(slices.every(({ from, to }) => to - from === minutes(5))).toBe(true)
})

test('a span in a missing hour gives nothing', () => {
  expect(cutSpans([{ symbol_id: 1, from: 2.5 * HOUR_US, to: 2.6 * HOUR_US }], HOURS)).toEqual([])
})

for (const [name, newest, now, books, expected] of [
  ['the second of the newest row is over once the clock says so', 100.4, 200, undefined, 101],
  ['the last ten seconds are left out', 100.4, 105.5, undefined, 95],
  ['it waits for the books', 100.4, 200, 60.7, 60],
  ['but not for more than five minutes of the clock', 1000.4, 1300.6, 60.7, 1000],
  ['a day of the past is computed to its end, whatever the books show', 1000.4, 1e6, 60.7, 1001],
  ['books that are ahead of the depth add nothing', 100.4, 200, 150, 101],
] as const) {
  test(`target: ${name}`, () => {
    const at = (seconds: number) => micros(seconds * SECOND_US)
    const covered = books === undefined ? undefined : at(books)
    expect(targetOf(at(newest), at(now), covered)).toBe(at(expected))
  })
}
