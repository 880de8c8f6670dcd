/** Two ingestors record the same streams. Every reader of their tapes finds the same messages. */
import { beforeAll, expect, test } from 'vitest'
import { connect } from './client.ts'
import { createStand, nextStamp, type Recording, type Stand, tradesOfTable } from './stand.ts'

let stand: Stand
let one: Recording
let other: Recording
beforeAll(async () => {
  stand = await createStand('one', 'other')
  one = stand.recordings[0]!
  other = stand.recordings[1]!
  one.startWriter()
  other.startWriter()
})

test('each trade arrives once, with the same seq whichever tape is read first', async () => {
  one.trade(1)
  other.trade(2)
  const live = await stand.startLive()
  const client = await connect(live.url, [{ channel: 'trades' }])
  await client.untilMessage(({ type }) => type === 'subscribed')
  // Either may be ahead, and either may miss some.
  for (let id = 100; id < 400; id++) {
    const stamps = [nextStamp(), nextStamp()] as const
    const [first, second] = id % 3 === 0 ? [other, one] : [one, other]
    if (id % 10 !== 7) first.trade(id, { stamp: stamps[0], at: stamps[0] })
    if (id % 10 !== 3) second.trade(id, { stamp: stamps[1], at: stamps[0] })
  }
  one.trade(400)
  await client.until(() => (client.ids().includes(400) ? true : undefined))
  const ids = Array.from({ length: 301 }, (_, index) => 100 + index)
  expect(client.ids()).toEqual(ids)
  await one.committed()
  await other.committed()
  expect((await tradesOfTable(stand.database)).filter((id) => id >= 100)).toEqual(ids)
  const { epoch, seq } = client.of('trades')[150]!
  await live.stop()
  const again = await stand.startLive()
  const back = await connect(again.url, [{ channel: 'trades', resume: { epoch, seq } }])
  await back.until(() => (back.ids().includes(400) ? true : undefined))
  expect(back.of('trades')).toEqual(client.of('trades').slice(151))
  await again.stop()
})
