/** Gaps in aggregated trades. The exchange returns some of the trades with a quantity of 0. */
import { expect, test } from 'vitest'
import { until } from '../support.ts'
import { createStand, exchangeThatPlayed, ledger, storedTrades, SYMBOL } from './stand.ts'

const START_MS = Date.now() - 3_600_000

/** Its fills skip one, as when a fill was not a market trade. */
const trade = (id: number, q: string) => ({
  e: 'aggTrade',
  E: START_MS + id,
  T: START_MS + id,
  s: SYMBOL,
  a: id,
  p: '100.5',
  q,
  f: 2 * id,
  l: 2 * id,
  m: false,
})

test('ids that REST returns with a quantity of 0 are not missing and give no row', async () => {
  const void_ids = new Set([1_005, 1_100, 2_099])
  const market = Array.from({ length: 1_200 }, (_, index) => 1_000 + index).map((id) =>
    trade(id, void_ids.has(id) ? '0.000' : '0.010'),
  )
  const exchange = await exchangeThatPlayed('aggTrade', market)
  const stand = await createStand(exchange)
  // The stream delivers the first void one, REST the others.
  stand.hear([...market.slice(0, 50), ...market.slice(1_150)])
  await stand.committed()
  expect(await ledger(stand.pool)).toMatchObject([{ from_id: 1_049, to_id: 2_150 }])
  stand.repair()
  await until('it is closed', async () => (await ledger(stand.pool))[0]?.is_closed === true)
  expect((await ledger(stand.pool))[0]).toMatchObject({
    repaired_count: 1_098,
    repair_note: '2 of 1100 ids are not market trades.',
  })
  expect((await storedTrades(stand.pool)).length).toBe(market.length - void_ids.size)
})
