/** How many relations one query of the edge locks, with 240 hours in every raw table. */
import { beforeAll, expect, test } from 'vitest'
import { inTransaction, type Pool } from '#core/node/pool.ts'
import { RAW_CHANNELS } from '#core/tables.ts'
import { HOUR_US, micros, type Micros, toIso } from '#core/time.ts'
import { selectCoverage } from '../../../edge-api/queries/coverage.ts'
import { type Database, parseTimestamp } from '../../../edge-api/queries/database.ts'
import { depthSource } from '../../../edge-api/queries/depth-source.ts'
import { selectLatestQuote } from '../../../edge-api/queries/latest-quote.ts'
import { selectNewestQuoteTime } from '../../../edge-api/queries/newest-quote.ts'
import { selectSymbolStats } from '../../../edge-api/queries/symbol-stats.ts'
import { createTestDatabase } from '../../support/database.ts'

const HOURS = 240
/** Locks per connection that Postgres has room for by default. */
const LOCKS_MAX = 64
const FROM = micros(Date.UTC(2024, 7, 1) * 1_000)
const TO = micros(FROM + HOURS * HOUR_US)
const at = (hour: number): Micros => micros(FROM + hour * HOUR_US + 1)

const { pool } = await createTestDatabase()

beforeAll(async () => {
  const hours = Array.from({ length: HOURS }, (_, i) => toIso(micros(FROM + i * HOUR_US)))
  const makeHours = async (channel: string): Promise<void> => {
    for (let i = 0; i < HOURS; i += 24) {
      const some = hours.slice(i, i + 24)
      await pool.query(
        'select marketdata.ensure_hour($1, hour) from unnest($2::timestamptz[]) as hour',
        [channel, some],
      )
    }
  }
  await Promise.all(RAW_CHANNELS.map(makeHours))
  await pool.query(
    "insert into marketdata.symbols (id, exchange, symbol) overriding system value values (1, 'e', 'S')",
  )
  for (const hour of [2, 230]) {
    await pool.query(
      `insert into marketdata.book_ticker
         (ts_exchange, ts_ingest, symbol_id, update_id, best_bid, bid_qty, best_ask, ask_qty)
       values ($1, $1, 1, 1, 1, 1, 2, 1)`,
      [toIso(at(hour))],
    )
    for (const kind of ['snapshot', 'diff']) {
      await pool.query(
        `insert into marketdata.depth_events
           (ts_exchange, ts_ingest, symbol_id, final_update_id, depth_kind, bids, asks)
         values ($1, $1, 1, 1, $2, '{}', '{}')`,
        [toIso(at(hour)), kind],
      )
    }
  }
})

/** Counts the locks of the statement that took most of them. */
function countingDatabase(of: Pool): Database & { most(): number } {
  let most = 0
  return {
    most: () => most,
    query: <Row>(text: string, values: readonly unknown[]) =>
      inTransaction(of, async (client) => {
        const types = {
          getTypeParser: (oid: number) =>
            oid === 1184 ? parseTimestamp : oid === 20 ? Number : (raw: string) => raw,
        }
        const { rows } = await client.query({ text, values: [...values], types })
        const locks = await client.query<{ n: number }>(
          "select count(*)::int as n from pg_locks where pid = pg_backend_pid() and locktype = 'relation'",
        )
        most = Math.max(most, locks.rows[0]!.n)
        return rows as readonly Row[]
      }),
  }
}

test('coverage of ten days', async () => {
  const db = countingDatabase(pool)
  const rows = await selectCoverage(db, { symbol_id: 1, exchange: 'e', from: FROM, to: TO })
  const edges = rows.map((row) => [row.channel, row.hot_first_ts, row.hot_last_ts])
  expect(edges.filter(([, first]) => first !== null)).toEqual([
    ['book_ticker', at(2), at(230)],
    ['depth_events', at(2), at(230)],
  ])
  expect(db.most()).toBeLessThan(LOCKS_MAX)
})

test('the last quote of a symbol that was silent for long, and of one without quotes', async () => {
  const db = countingDatabase(pool)
  expect(await selectLatestQuote(db, 1, TO)).toMatchObject({ ts_exchange: at(230) })
  expect(await selectLatestQuote(db, 2, TO)).toBeUndefined()
  expect(db.most()).toBeLessThan(LOCKS_MAX)
})

test('a book between two updates that are days apart', async () => {
  const db = countingDatabase(pool)
  const source = depthSource(db, 1)
  expect(await source.snapshotBefore(at(200))).toMatchObject({ ts_exchange: at(2) })
  const diffs = []
  for await (const diff of source.diffs({ from_ts: at(199), from_id: 0, to_ts: at(200) })) {
    diffs.push(diff.ts_exchange)
  }
  expect(diffs).toEqual([at(230)])
  expect(db.most()).toBeLessThan(LOCKS_MAX)
})

test('health and statistics', async () => {
  const db = countingDatabase(pool)
  await selectNewestQuoteTime(db, micros(TO - 24 * HOUR_US))
  await selectSymbolStats(db, micros(TO - HOUR_US), 100)
  expect(db.most()).toBeLessThan(LOCKS_MAX)
})
