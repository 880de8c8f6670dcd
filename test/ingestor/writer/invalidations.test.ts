import { join } from 'node:path'
import { expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { micros } from '#core/time.ts'
import { oldestAdded, rangesOf } from '../../../ingestor/writer/invalidations.ts'
import { joinRows, RowBuffer } from '../../../ingestor/writer/row-buffer.ts'
import { followToEnd } from '../../../ingestor/writer/follow-to-end.ts'
import { trades } from '#core/tables.ts'
import { createTestDatabase } from '../../support/database.ts'
import { untilBlocked } from '../../support/lock-waits.ts'
import { CHOICE, START_MS, temporaryDirectory, trade, writeTape } from './support.ts'

const HOUR = '2026-03-01T13:00:00.000000Z'

function rowsAt(symbol_id: number, ...times_us: readonly number[]) {
  const rows = new RowBuffer(trades)
  for (const [index, ts] of times_us.entries()) {
    rows.push({
      kind: 'trade',
      exchange: 'binance-futures',
      symbol: 'S',
      ts_exchange: micros(ts),
      ts_ingest: micros(ts),
      agg_trade_id: index,
      price: 1,
      qty: 1,
      non_rpi_qty: null,
      first_trade_id: null,
      last_trade_id: null,
      is_buyer_maker: false,
    })
  }
  return { symbol_id, rows }
}

test('ranges are by symbol and hour, in whatever order the rows arrive', () => {
  const hour = Date.parse(HOUR) * 1_000
  const joined = joinRows(trades, [
    rowsAt(3, hour + 5, hour - 1, hour - 7),
    rowsAt(4, hour - 2),
    rowsAt(2 ** 40, hour + 3_600_000_000, hour + 3_599_999_999),
  ])
  const ranges = rangesOf(joined)
  const range = (symbol_id: number, lowest: number, greatest: number) => {
    return { table_name: 'trades', symbol_id, lowest: hour + lowest, greatest: hour + greatest }
  }
  expect(ranges).toEqual([
    range(3, -7, -1),
    range(3, 5, 5),
    range(4, -2, -2),
    range(2 ** 40, 3_599_999_999, 3_599_999_999),
    range(2 ** 40, 3_600_000_000, 3_600_000_000),
  ])
  expect(oldestAdded(ranges)).toEqual({
    table_names: ['trades'],
    lowest: [hour - 7],
  })
})

test('ranges of many rows are those of their groups', () => {
  const hour = Date.parse(HOUR) * 1_000
  for (const row_count of [1, 2, 3, 4, 5, 63, 64, 65, 1_000]) {
    const symbols = [1, 2, 3].map((symbol_id) => {
      const times = Array.from(
        { length: row_count },
        (_, index) => hour + ((index * 7_919 * symbol_id) % 11_000) * 1_000_000,
      )
      return { symbol_id, times: [...new Set(times)].toSorted((a, b) => a - b) }
    })
    const expected = symbols.flatMap(({ symbol_id, times }) => {
      const hours = Map.groupBy(times, (ts) => Math.floor((ts - hour) / 3_600_000_000))
      return [...hours.values()].map((group) => {
        return { table_name: 'trades', symbol_id, lowest: group[0], greatest: group.at(-1) }
      })
    })
    const groups = symbols.map(({ symbol_id, times }) => rowsAt(symbol_id, ...times))
    expect(rangesOf(joinRows(trades, groups))).toEqual(expected)
  }
})

test('the writer waits for a threshold that is being raised, and uses the new one', async () => {
  const { url, pool } = await createTestDatabase()
  const raising = await pool.connect()
  await raising.query('begin')
  await raising.query("select marketdata.raise_invalidation_threshold('trades', $1)", [HOUR])
  let is_written = false
  const writing = followToEnd({
    database_url: url,
    ingestor_id: 'test',
    tape_dir: await writeTape([
      trade('BTCUSDT', 1, 0),
      trade('BTCUSDT', 2, 100),
      trade('BTCUSDT', 3, 2_000),
    ]),
    choice: CHOICE,
    dead_letter_path: join(temporaryDirectory(), 'dead.ndjson'),
    log: silentLogger,
  }).finally(() => {
    is_written = true
  })
  await untilBlocked(pool)
  expect(is_written).toBe(false)
  await raising.query('commit')
  raising.release()
  await writing
  const { rows } = await pool.query<{ consumer: string; lowest: Date; greatest: Date }>(
    'select consumer, lowest, greatest from marketdata.invalidations order by consumer',
  )
  expect(rows).toEqual(
    ['archive', 'features', 'rollups', 'signals'].map((consumer) => {
      return { consumer, lowest: new Date(START_MS), greatest: new Date(START_MS + 100) }
    }),
  )
})

test('a threshold is never lowered', async () => {
  const { pool } = await createTestDatabase()
  for (const to of [HOUR, '2026-03-01T12:00:00Z']) {
    await pool.query("select marketdata.raise_invalidation_threshold('trades', $1)", [to])
  }
  const { rows } = await pool.query<{ threshold: Date }>(
    "select threshold from marketdata.invalidation_thresholds where table_name = 'trades'",
  )
  expect(rows).toEqual([{ threshold: new Date(HOUR) }])
})
