/**
 * Compares a build that continues at a whole hour with one of the whole day, and final hours with
 * builds that see later events. Random streams in memory.
 */
import { deserialize, serialize } from 'node:v8'
import { expect, test } from 'vitest'
import { HOUR_US, SECOND_US } from '#core/time.ts'
import type { Columns } from '../../../jobs/day/grid-columns.ts'
import type { SymbolDay, SymbolTask } from '../../../jobs/features/symbol-day.ts'
import { randomNumbers } from './random.ts'
import { makeInBlocks } from '../../../jobs/datasets/build/made-day.ts'
import { build, DAY, END, makeMarket, type Market, readerOf, taskOf } from './streams.ts'

const signal = new AbortController().signal

const rowsOf = (columns: Columns<string>, first: number, end?: number) =>
  Object.fromEntries(
    Object.entries(columns).map(([name, values]) => [name, values.slice(first, end)]),
  )

/** Serialised and read back, as from the disk. */
const stored = <T>(value: T): T => deserialize(serialize(value)) as T

async function checkResumed(
  market: Market,
  made: SymbolTask['made'],
  whole: SymbolDay,
): Promise<void> {
  for (const hour of whole.hours.slice(0, -1)) {
    const resume = { from: hour.to, grid_from: whole.grid.from, carried: stored(hour.carried) }
    const rest = await build(market, made, END, resume)
    // An hour without a final book carries no state, so no build continues from it.
    if (hour.read_to === Infinity) continue
    expect(rest.grid).toEqual(whole.grid)
    expect(rest.columns).toEqual(rowsOf(whole.columns, hour.end))
    if (whole.labels !== undefined) expect(rest.labels).toEqual(rowsOf(whole.labels, hour.end))
    const later = whole.hours.slice(whole.hours.indexOf(hour) + 1)
    const facts = ({ counts, carried, read_to }: SymbolDay['hours'][number]) => ({
      counts,
      carried,
      read_to,
    })
    expect(rest.hours.map(facts)).toEqual(later.map(facts))
  }
}

for (const seed of [1, 2, 3, 4, 5, 6]) {
  test(`a build that continues at an hour gives the rows of one from midnight (seed ${seed})`, async () => {
    const market = makeMarket(seed)
    const whole = await build(market, 'features_1s', END)
    expect(whole.hours.filter(({ read_to }) => read_to < Infinity).length).toBeGreaterThan(0)
    await checkResumed(market, 'features_1s', whole)
  })

  test(`a final hour stays as it is, whatever follows (seed ${seed})`, async () => {
    const market = makeMarket(seed)
    const whole = await build(market, 'features_1s', END)
    const random = randomNumbers(seed + 50)
    for (const hour of [1, 2]) {
      const to = DAY + hour * HOUR_US + Math.floor(random() * 400 * SECOND_US)
      const early = await build(market, 'features_1s', to)
      for (const [i, { first, end, read_to, carried, counts }] of early.hours.entries()) {
        if (read_to > to) continue
        expect(rowsOf(early.columns, first, end)).toEqual(rowsOf(whole.columns, first, end))
        expect(rowsOf(early.labels!, first, end)).toEqual(rowsOf(whole.labels!, first, end))
        expect({ carried, counts, read_to }).toEqual({
          carried: whole.hours[i]!.carried,
          counts: whole.hours[i]!.counts,
          read_to: whole.hours[i]!.read_to,
        })
      }
    }
  })
}

test('100 ms: the same', async () => {
  const market = makeMarket(7)
  const whole = await build(market, 'features_100ms', END)
  expect(whole.hours.filter(({ read_to }) => read_to < Infinity).length).toBeGreaterThan(0)
  await checkResumed(market, 'features_100ms', whole)
})

for (const seed of [7]) {
  test(`100 ms in blocks of an hour: the bytes of one block (seed ${seed})`, async () => {
    const market = makeMarket(seed)
    const task = {
      ...taskOf(market, 'features_100ms', END),
      places: { exchange: 0, symbol: 0 },
      with_f32: false,
    }
    const made = (hours: number) => makeInBlocks(readerOf(market, END), task, signal, hours)
    const whole = await made(24)
    expect(whole.features.length).toBeGreaterThan(2)
    expect(await made(1)).toEqual(whole)
  })
}
