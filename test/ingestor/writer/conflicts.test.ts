/** Two rows with one key and different values: the first is kept, and both are evidence. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import type { Pool } from '#core/node/pool.ts'
import { followToEnd } from '../../../ingestor/writer/follow-to-end.ts'
import { createTestDatabase } from '../../support/database.ts'
import { diff, type Entry, quote, rest, START_MS, trade, writeTape } from './support.ts'

const CHOICE = {
  channels: ['book_ticker', 'trades', 'depth_events'],
  trade_stream: 'aggTrade',
} as const

async function follow(database_url: string, entries: readonly Entry[]) {
  const tape_dir = await writeTape(entries)
  const dead_letter_path = join(tape_dir, 'dead.ndjson')
  const options = { database_url, ingestor_id: 'test', tape_dir, choice: CHOICE, dead_letter_path }
  return followToEnd({ ...options, log: silentLogger })
}

async function evidence(pool: Pool) {
  const { rows } = await pool.query<{ line: string }>(
    `select concat_ws(' ', table_name, kept->>'price', refused->>'price', kept->'bids', refused->'bids',
      (kept->>'ts_exchange')::timestamptz = ts_exchange) as line from marketdata.conflicts order by id`,
  )
  return rows.map((row) => row.line)
}

const repeatOf = (entry: Entry, connection: number): Entry => ({ ...entry, connection })

for (const [name, parts] of [
  ['in one batch', (entries: readonly Entry[]) => [entries]],
  ['in two runs of the writer', (entries: readonly Entry[]) => entries.map((entry) => [entry])],
] as const) {
  test(`a row with another one's key and other values is a conflict, not a duplicate: ${name}`, async () => {
    const { url, pool } = await createTestDatabase()
    const entries = [
      trade('BTCUSDT', 7, 0, 2, '100.10'),
      trade('BTCUSDT', 7, 0, 3, '100.20'),
      repeatOf(trade('BTCUSDT', 7, 0, 2, '100.10'), 4),
      diff('BTCUSDT', 1, 2, 5),
      diff('BTCUSDT', 1, 2, 5, 3, { b: [['99.80', '9']] }),
      quote('BTCUSDT', 11, 9),
      quote('BTCUSDT', 11, 9, 2),
    ]
    const found = { trades: 0, depth_events: 0, duplicates: 0, rows: 0 }
    for (const part of parts(entries)) {
      const { conflicts, duplicates, rows, events } = await follow(url, part)
      found.trades += conflicts.trades
      found.depth_events += conflicts.depth_events
      found.duplicates += duplicates.trades + duplicates.depth_events + duplicates.book_ticker
      found.rows += rows.trades + rows.depth_events + rows.book_ticker
      const all = [rows, duplicates, conflicts].flatMap((counts) => Object.values(counts))
      expect(all.reduce((sum, count) => sum + count, 0)).toBe(
        Object.values(events).reduce((sum, count) => sum + count, 0),
      )
    }
    expect(found).toEqual({ trades: 1, depth_events: 1, duplicates: 2, rows: 3 })
    expect((await evidence(pool)).toSorted()).toEqual([
      'depth_events [[99.9, 1.5]] [[99.8, 9]] t',
      'trades 100.1 100.2 t',
    ])
  })
}

test('a value that the exchange left out in one row is not a conflict', async () => {
  const { url, pool } = await createTestDatabase()
  const told = { e: 'aggTrade', a: 7, p: '100.10', q: '0.010', f: 21, l: 23, T: START_MS, m: false }
  const answer = rest(
    50,
    '/fapi/v1/aggTrades?symbol=BTCUSDT&fromId=7&limit=1',
    JSON.stringify([{ ...told, nq: '0.010' }]),
  )
  const counts = await follow(url, [trade('BTCUSDT', 7, 0), answer])
  expect(counts).toMatchObject({
    rows: { trades: 1 },
    duplicates: { trades: 1 },
    conflicts: { trades: 0 },
  })
  expect(await evidence(pool)).toEqual([])
})

test('reading a tape again adds no evidence', async () => {
  const { url, pool } = await createTestDatabase()
  const entries = [trade('BTCUSDT', 7, 0), trade('BTCUSDT', 7, 0, 3, '100.20')]
  await follow(url, entries)
  await follow(url, entries)
  expect(await evidence(pool)).toHaveLength(1)
})
