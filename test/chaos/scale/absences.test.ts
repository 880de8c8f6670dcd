/** The gaps that npm run chaos:scale demands. */
import { expect, test } from 'vitest'
import { type Absence, expectedGaps, type FirstEvent } from './absences.ts'

/** Events have the time of their id. */
const event = (id: number, follows: number | null = null): FirstEvent => ({
  id,
  follows,
  first_fill: null,
  ts_exchange: id,
})
const away = (id: number, first: FirstEvent | undefined): Absence => ({
  last: { id, last_fill: null, ts_exchange: id },
  left_at: id + 1,
  returned_at: id + 2,
  first,
})
const gone = (id: number): Absence => ({ ...away(id, undefined), returned_at: undefined })
const unheard: Absence['last'] = { id: null, last_fill: null, ts_exchange: 4 }

for (const [name, absences, expected] of [
  ['back with a later quote', [away(5, event(9))], [[5, 9]]],
  ['back with the very next trade', [away(5, event(6, 5))], []],
  ['back with a trade that skips one', [away(5, event(7, 6))], [[5, 7]]],
  ['away before its first event', [{ ...away(5, event(7, 6)), last: unheard }], [[4, 7]]],
  ['not back', [gone(5)], [[5, null]]],
  ['quiet between two absences', [away(5, undefined), away(5, event(9))], [[5, 9]]],
  ['gone again after a quiet return', [away(5, undefined), gone(5)], [[5, null]]],
  [
    'a trade was fetched in a quiet return',
    [away(5, undefined), gone(7)],
    [
      [5, 7],
      [7, null],
    ],
  ],
  [
    'heard between two absences',
    [away(5, event(9)), away(11, event(30))],
    [
      [5, 9],
      [11, 30],
    ],
  ],
] as const)
  test(name, () => {
    const gaps = expectedGaps(absences, false)
    expect(gaps.map(({ from, to }) => [from.min, to?.min ?? null])).toEqual(expected)
    expect(gaps.every(({ to }) => to === null || to.min === to.max)).toBe(true)
  })

test('fills decide before ids', () => {
  const absence: Absence = {
    ...away(5, { ...event(8, 7), first_fill: 51 }),
    last: { id: 5, last_fill: 50, ts_exchange: 5 },
  }
  expect(expectedGaps([absence], false)).toEqual([])
})

test('a stream of rare events has a gap for each absence, however quiet it is', () => {
  const gaps = expectedGaps([away(5, undefined), away(5, undefined)], true)
  expect(gaps.map(({ to }) => to?.min)).toEqual([7, 7])
})
