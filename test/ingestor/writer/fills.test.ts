/** Aggregate ids that an exchange repeats or skips, as Binance does, from tape to ledger. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { closeFilledGaps } from '../../../ingestor/repair/close-filled.ts'
import { followToEnd } from '../../../ingestor/writer/follow-to-end.ts'
import { micros } from '#core/time.ts'
import { createTestDatabase } from '../../support/database.ts'
import {
  CHOICE,
  dumpGaps,
  dumpRows,
  type Entry,
  mark,
  rest,
  START_MS,
  text,
  writeTape,
} from './support.ts'

function wire(id: number, first: number, last: number, ms: number) {
  return { a: id, p: '0.5', q: '81', f: first, l: last, T: START_MS + ms, m: false }
}

function summed(id: number, first: number, last: number, ms: number): Entry {
  const data = { e: 'aggTrade', E: START_MS + ms + 1, s: 'ZILUSDT', ...wire(id, first, last, ms) }
  return text(ms, JSON.stringify({ stream: 'zilusdt@aggTrade', data }))
}

async function follow(database_url: string, entries: readonly Entry[]): Promise<void> {
  const tape_dir = await writeTape(entries)
  const dead_letter_path = join(tape_dir, 'dead.ndjson')
  const options = { database_url, ingestor_id: 'test', tape_dir, choice: CHOICE, dead_letter_path }
  await followToEnd({ ...options, log: silentLogger })
}

test('a repeated id with consecutive fills is two rows and no gap', async () => {
  const { url, pool } = await createTestDatabase()
  await follow(url, [
    summed(54, 668, 668, 0),
    summed(55, 669, 669, 10),
    summed(55, 670, 670, 46_000),
    summed(56, 671, 681, 80_000),
  ])
  expect(await dumpRows(pool)).toHaveLength(4)
  expect(await dumpGaps(pool)).toEqual([])
})

test('the last fill survives a restart of the writer: the repeated id is not a gap', async () => {
  const { url, pool } = await createTestDatabase()
  await follow(url, [summed(54, 668, 668, 0), summed(55, 669, 669, 10)])
  await follow(url, [summed(55, 670, 670, 46_000), summed(56, 671, 681, 80_000)])
  expect(await dumpRows(pool)).toHaveLength(4)
  expect(await dumpGaps(pool)).toEqual([])
})

test('a refilled gap is complete if its fills are, and counts the stored trades', async () => {
  const { url, pool } = await createTestDatabase()
  const streams = [{ symbol: 'ZILUSDT', channel: 'trades' }] as const
  const lost = mark(100, { kind: 'deaf', cause: 'disconnect', streams })
  const answer = (...trades: readonly object[]): Entry =>
    rest(90_000, '/fapi/v1/aggTrades?symbol=ZILUSDT&fromId=55&limit=4', JSON.stringify(trades))
  await follow(url, [
    summed(54, 668, 668, 0),
    lost,
    summed(59, 674, 674, 80_000),
    answer(wire(55, 669, 669, 500), wire(57, 670, 671, 900)),
  ])
  const now = micros(Date.now() * 1_000)
  expect(await closeFilledGaps(pool, now)).toBe(0)
  await follow(url, [answer(wire(57, 672, 673, 950))])
  expect(await closeFilledGaps(pool, now)).toBe(1)
  const { rows } = await pool.query(
    'select from_id, to_id, repaired_count, repaired_at is not null as is_closed from marketdata.gaps',
  )
  expect(rows).toEqual([{ from_id: '54', to_id: '59', repaired_count: '3', is_closed: true }])
})
