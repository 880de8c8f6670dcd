/** Gaps in raw trades. The exchange's REST API leaves out ids that were not market trades. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { until } from '../support.ts'
import { createStand, exchangeThatPlayed, ledger, storedTrades, SYMBOL } from './stand.ts'

const CHOICE = { channels: ['trades'], trade_stream: 'trade' } as const
const START_MS = Date.now() - 3_600_000

const trade = (id: number, X = 'MARKET') => ({
  e: 'trade',
  E: START_MS + id,
  T: START_MS + id,
  s: SYMBOL,
  t: id,
  p: '100.5',
  q: '0.010',
  X,
  m: false,
})

const ids = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index)

test('ids of the insurance fund and of deleveraging are not missing, not even at the ends of a gap', async () => {
  const void_ids = new Set([101, 150, 151, 199, 200])
  const market = ids(50, 260).map((id) => trade(id, void_ids.has(id) ? 'INSURANCE_FUND' : 'MARKET'))
  const exchange = await exchangeThatPlayed('trade', market)
  const stand = await createStand(exchange, CHOICE)
  // The stream delivers them, so the gap may end with an id that is not a market trade.
  stand.hear([...market.slice(0, 51), ...market.slice(150)])
  await stand.committed()
  expect((await ledger(stand.pool))[0]).toMatchObject({ from_id: 100, to_id: 200 })
  stand.repair()
  await until('it is closed', async () => (await ledger(stand.pool))[0]?.is_closed === true)
  expect((await ledger(stand.pool))[0]).toMatchObject({
    repaired_count: 95,
    repair_note: '4 of 99 ids are not market trades.',
  })
  expect((await storedTrades(stand.pool)).length).toBe(211 - void_ids.size)
  expect(stand.asked.length).toBe(1)
})

test('more than a page: void ids on either side of the page are counted, and none is requested twice', async () => {
  const void_ids = new Set([1_089, 1_090, 1_091, 1_092, 1_500])
  const market = ids(90, 2_200).map((id) => trade(id, void_ids.has(id) ? 'ADL' : 'MARKET'))
  const exchange = await exchangeThatPlayed('trade', market)
  const stand = await createStand(exchange, CHOICE)
  stand.hear([...market.slice(0, 11), ...market.slice(-50)])
  await stand.committed()
  stand.repair({ settings: { look_ms: 20, pages_per_turn: 1 } })
  await until('it is closed', async () => (await ledger(stand.pool))[0]?.is_closed === true)
  expect((await ledger(stand.pool))[0]?.repair_note).toBe('5 of 2050 ids are not market trades.')
  expect(stand.asked.map((path) => /fromId=(\d+)/.exec(path)?.[1])).toEqual(['91', '1095', '2096'])
})

test('trades that a recording lacks do not count as void: their gap stays open with the reason', async () => {
  const market = ids(90, 300).map((id) => trade(id))
  const exchange = await exchangeThatPlayed('trade', [...market.slice(0, 30), ...market.slice(32)])
  const stand = await createStand(exchange, CHOICE)
  stand.hear([...market.slice(0, 11), ...market.slice(-50)])
  await stand.committed()
  stand.repair()
  await until('it is given up', async () => (await ledger(stand.pool))[0]?.is_given_up === true)
  expect((await ledger(stand.pool))[0]).toMatchObject({
    is_closed: false,
    repaired_count: 19,
    repair_note: expect.stringContaining(
      '131 of 150 trades are missing after 3 attempts, given up.',
    ) as string,
  })
  expect((await storedTrades(stand.pool)).length).toBe(80)
})

test("ids before the exchange's first trade do not count as void: requested attempts_max times, then given up", async () => {
  const market = ids(90, 300).map((id) => trade(id))
  const exchange = await exchangeThatPlayed('trade', market.slice(60))
  const stand = await createStand(exchange, CHOICE)
  stand.hear([...market.slice(0, 11), ...market.slice(-50)])
  await stand.committed()
  stand.repair()
  await until('it is given up', async () => (await ledger(stand.pool))[0]?.is_given_up === true)
  expect((await ledger(stand.pool))[0]).toMatchObject({
    repaired_count: 101,
    is_closed: false,
    repair_attempts: 3,
    repair_note:
      '49 of 150 trades are missing after 3 attempts, given up. The exchange does not return them.',
  })
  const asked_count = stand.asked.length
  await sleep(300)
  expect(stand.asked.length).toBe(asked_count)
})

test('a symbol that the exchange no longer lists: the note holds the refusal', async () => {
  const exchange = await exchangeThatPlayed('trade', [trade(1)])
  const stand = await createStand(exchange, CHOICE)
  stand.hear([5, 9].map((id) => ({ ...trade(id), s: 'GONEUSDT' })))
  await stand.committed()
  stand.repair({ symbols: ['GONEUSDT'] })
  await until('it is given up', async () => (await ledger(stand.pool))[0]?.is_given_up === true)
  expect((await ledger(stand.pool))[0]?.repair_note).toMatch(/^3 of 3 .*GONEUSDT.*Invalid symbol/)
})
