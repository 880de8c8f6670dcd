/** Gaps that have not ended, as callers see them. */
import { expect, test } from 'vitest'
import { fromMillis } from '#core/time.ts'
import { composeApp } from '../../edge-api/compose.ts'
import { readContract, type Ask } from './contract.ts'
import { addSymbol, startEdge } from './support.ts'

const edge = await startEdge()
const app = composeApp(edge.bindings, {
  now: () => fromMillis(Date.parse('2024-08-08T23:59:00Z')),
  report: (error) => expect(error).toBeUndefined(),
})
const ask: Ask = async (path, init) => app.request(path, init)
const contract = await readContract(ask)

type Row = Readonly<Record<string, unknown>>

async function good(path: string): Promise<Row> {
  const response = await ask(path)
  expect([path, response.status]).toEqual([path, 200])
  return (await contract.check(path, response)) as Row
}

test('a gap that has not ended is listed at once; after a delisting nothing is missing', async () => {
  await addSymbol(edge.pool, 'NEWUSDT')
  await edge.pool.query(
    `insert into marketdata.stream_offsets (ingestor_id, symbol_id, channel, last_id, ts_exchange,
       ts_ingest, deaf_cause, lost_ts, lost_at)
     select 'a', id, channel, 7, '2024-08-08T23:40:00Z', '2024-08-08T23:40:00Z', cause,
       '2024-08-08T23:50:00Z', '2024-08-08T23:50:01Z'
     from marketdata.symbols, (values ('book_ticker', 'silence'), ('trades', 'delisted')) v (channel, cause)
     where symbol = 'NEWUSDT'`,
  )
  const range = 'from=2024-08-08T23:30:00Z&to=2024-08-08T23:55:00Z'
  const { streams } = await good(`/v1/coverage/NEWUSDT?${range}`)
  const counts = { gap_count: 1, open_gap_count: 0, unended_gap_count: 0, missing_s: 0 }
  expect(streams).toContainEqual(expect.objectContaining({ channel: 'trades', ...counts }))
  expect(streams).toContainEqual(
    expect.objectContaining({
      channel: 'book_ticker',
      gap_count: 1,
      open_gap_count: 1,
      unended_gap_count: 1,
      missing_s: 300,
    }),
  )
  const first = await good(`/v1/gaps?ended=false&${range}&limit=1`)
  expect(first['row_count']).toBe(1)
  const next = await good(String(first['next']))
  const rows = [first, next].flatMap((page) => page['rows'] as readonly Row[])
  expect(
    rows.map(({ channel, from_ts, to_ts, cause }) => [channel, from_ts, to_ts, cause]).toSorted(),
  ).toEqual([
    ['book_ticker', '2024-08-08T23:50:00.000000Z', null, 'silence'],
    ['trades', '2024-08-08T23:50:00.000000Z', null, 'delisted'],
  ])
})
