/** The archive as jobs read it: by ranges, and the book at any time from its files alone. */
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { pairsOf } from '#core/book.ts'
import type { ArchivedHour } from '#core/archive.ts'
import { bookAt, type BookAt, type DepthSource } from '#core/book-at.ts'
import { silentLogger } from '#core/node/log.ts'
import type { Pool } from '#core/node/pool.ts'
import { DAY_US, HOUR_US, type Micros, micros, SECOND_US, toIso } from '#core/time.ts'
import { createDatabase } from '../../../edge-api/queries/database.ts'
import { depthSource } from '../../../edge-api/queries/depth-source.ts'
import { createArchiveReader } from '../../../jobs/archive/read.ts'
import { selectArchivedHours } from '../../../jobs/archive/records.ts'
import { runArchive } from '../../../jobs/archive/run-archive.ts'
import { archivePart } from '../../../jobs/day/archive-part.ts'
import type { DepthRow } from '../../../jobs/day/depth-reader.ts'
import { BTC, depthLines, FEEDS_DIR, FIVE_COINS } from '../../core/depth-recordings.ts'
import { sourceOf } from '../../core/depth-source.ts'
import { changesOf, mapBookAt } from '../../core/map-book.ts'
import { createReaderDatabase, SECRET, startTestGateway } from '../../edge-api/support.ts'
import { loadRecordedDepth } from '../../support/recorded-depth.ts'
import { createStand } from '../stand.ts'
import { HOUR, insertListed, insertRows, makeRows, type Row } from './rows.ts'

const stand = await createStand()
const { store } = stand

async function archiveAll(
  pool: Pool,
  table_name: 'depth_events' | 'trades',
): Promise<readonly ArchivedHour[]> {
  const options = {
    store,
    codec: 'zstd',
    work_dir: join(stand.dir, 'work'),
    log: silentLogger,
    now: Date.now,
  } as const
  await runArchive({ ...options, pool })
  const span = { from: micros(0), to: micros(HOUR + 10_000 * DAY_US) }
  return selectArchivedHours(pool, { exchange: 'binance-futures', table_name, ...span })
}

/** The store, with a list of the requested ranges. */
function counted(): { readonly ranges: number[]; readonly readRange: typeof store.readRange } {
  const ranges: number[] = []
  return {
    ranges,
    readRange(key, from, to) {
      ranges.push(to - from)
      return store.readRange(key, from, to)
    },
  }
}

/** One symbol's depth, read from the archive like a day's build reads it. */
async function archivedDepth(hours: readonly ArchivedHour[], symbol: string): Promise<DepthSource> {
  const archive = createArchiveReader(store)
  const rows: DepthRow[] = []
  for (const hour of hours) {
    const from = micros(Date.parse(hour.hour) * 1_000)
    const part = archivePart(archive, hour, { from, to: micros(from + HOUR_US) })
    const of_symbol = { symbol_id: 0, symbol }
    for await (const some of part.depth(of_symbol)) {
      for (const row of some) {
        rows.push({ ...row, bids: pairsOf(row.bids), asks: pairsOf(row.asks) })
      }
    }
  }
  return sourceOf(rows)
}

describe('trades of three symbols', async () => {
  await insertListed(stand.pool)
  await insertRows(stand.pool, 'trades', makeRows('trades', 40_000))
  const [hour] = await archiveAll(stand.pool, 'trades')

  test('the footer and one range give a symbol-hour; another symbol of the file costs one more range', async () => {
    const store_reads = counted()
    const reader = createArchiveReader(store_reads)
    for (const [symbol, reads] of [
      ['BTCUSDT', 2],
      ['ETHUSDT', 3],
    ] as const) {
      let row_count = 0
      const columns = ['ts_exchange', 'price', 'qty', 'is_buyer_maker']
      for await (const chunk of reader.readSymbolHour(hour!, { symbol, columns }))
        row_count += chunk.row_count
      expect(row_count).toBe(10_000)
      expect(store_reads.ranges).toHaveLength(reads)
    }
    const columns_bytes = store_reads.ranges.slice(1).reduce((sum, bytes) => sum + bytes, 0)
    expect(columns_bytes).toBeLessThan(hour!.byte_count)
    expect(await reader.symbols(hour!)).toMatchObject([
      { symbol: 'BTCUSDT', row_count: 10_000 },
      { symbol: 'ETHUSDT', row_count: 10_000 },
      { symbol: '币安人生USDT', row_count: 10_000 },
    ])
  })

  test('values come in order, with NaN for null, and a column of another type is refused', async () => {
    const { rows } = await stand.pool.query<{
      id: string
      ts: string
      non_rpi_qty: number | null
      is_buyer_maker: boolean
    }>(
      `select agg_trade_id as id, (extract(epoch from ts_exchange) * 1000000)::int8 as ts, non_rpi_qty, is_buyer_maker
       from marketdata.trades where symbol_id = 2 order by ts_exchange, agg_trade_id`,
    )
    const columns = ['ts_exchange', 'agg_trade_id', 'non_rpi_qty', 'is_buyer_maker']
    const wanted = { symbol: 'BTCUSDT', columns }
    for await (const chunk of createArchiveReader(store).readSymbolHour(hour!, wanted)) {
      expect([...chunk.numbers('agg_trade_id')]).toEqual(rows.map(({ id }) => Number(id)))
      expect([...chunk.numbers('ts_exchange')]).toEqual(rows.map(({ ts }) => Number(ts)))
      expect([...chunk.numbers('non_rpi_qty')]).toEqual(
        rows.map(({ non_rpi_qty }) => non_rpi_qty ?? Number.NaN),
      )
      expect([...chunk.flags('is_buyer_maker')]).toEqual(
        rows.map(({ is_buyer_maker }) => Number(is_buyer_maker)),
      )
      expect(() => chunk.numbers('is_buyer_maker')).toThrow('as flags, not as numbers')
      expect(() => chunk.numbers('price')).toThrow('as nothing')
    }
  })

  test('a missing symbol, and an hour before or after, cost only the footer', async () => {
    const store_reads = counted()
    const reader = createArchiveReader(store_reads)
    for (const wanted of [
      { symbol: 'NOUSDT', columns: ['price'] },
      { symbol: 'BTCUSDT', columns: ['price'], to: HOUR },
      { symbol: 'BTCUSDT', columns: ['price'], from: micros(HOUR + HOUR_US) },
    ]) {
      for await (const chunk of reader.readSymbolHour(hour!, wanted))
        expect.unreachable(`${chunk.row_count} rows`)
    }
    expect(store_reads.ranges).toHaveLength(1)
  })

  test('a missing or truncated file is named; the next try reads from the store again', async () => {
    const reader = createArchiveReader(store)
    const gone = { ...hour!, object_key: 'raw/gone.parquet' }
    await expect(reader.symbols(gone)).rejects.toMatchObject({ code: 'archive_unreadable' })
    await store.put(
      'raw/gone.parquet',
      (await store.get(hour!.object_key))!,
      'application/octet-stream',
    )
    expect(await reader.symbols(gone)).toHaveLength(3)
    const short = { ...hour!, byte_count: hour!.byte_count - 10, object_key: 'raw/gone.parquet' }
    await expect(createArchiveReader(store).symbols(short)).rejects.toMatchObject({
      code: 'archive_unreadable',
    })
  })
})

test('a book is followed from the snapshot of one hour into the next', async () => {
  const at = (second: number): string => toIso(micros(HOUR + HOUR_US + second * SECOND_US))
  const row = (
    second: number,
    depth_kind: string,
    U: number | null,
    u: number,
    pu: number | null,
  ): Row => ({
    ts_exchange: at(second),
    ts_ingest: at(second),
    symbol_id: 2,
    depth_kind,
    first_update_id: U,
    final_update_id: u,
    prev_final_update_id: pu,
    bids: [[u, 1]],
    asks: [[10_000, 1]],
  })
  await insertRows(stand.pool, 'depth_events', [
    row(-10, 'snapshot', null, 100, null),
    row(-5, 'diff', 99, 105, 98),
    row(-4, 'partial', null, 5_000, null),
    row(5, 'diff', 106, 110, 105),
    row(6, 'diff', 111, 112, 110),
    row(9, 'diff', 120, 130, 119),
  ])
  const hours = await archiveAll(stand.pool, 'depth_events')
  expect(hours).toHaveLength(2)
  const source = await archivedDepth(hours, 'BTCUSDT')
  const moment = (second: number): Micros => micros(HOUR + HOUR_US + second * SECOND_US)
  expect(told(await bookAt(source, moment(-6)))).toMatchObject({ update_id: 100 })
  expect(told(await bookAt(source, moment(5)))).toMatchObject({
    update_id: 110,
    bids: [
      [110, 1],
      [105, 1],
      [100, 1],
    ],
  })
  expect(await bookAt(source, moment(8))).toEqual({ kind: 'gap', since: moment(6) })
  expect(await bookAt(source, moment(-11))).toEqual({ kind: 'no_snapshot' })
  const other = await archivedDepth(hours, 'ETHUSDT')
  expect(await bookAt(other, moment(5))).toEqual({ kind: 'no_snapshot' })
})

function told(found: BookAt): unknown {
  if (found.kind !== 'book') return found.kind
  const { book, update_id } = found
  return { update_id, bids: book.bids.top(Infinity), asks: book.asks.top(Infinity) }
}

describe.skipIf(FEEDS_DIR === undefined)('recordings (FEEDS_DIR names their folder)', () => {
  for (const folder of [BTC, FIVE_COINS]) {
    test(`${folder}: the book at any time from Parquet is that of the tables and of the recording`, async () => {
      const database = await createReaderDatabase()
      const gateway = await startTestGateway(database.reader_url)
      afterAll(() => gateway.stop())
      await loadRecordedDepth(database, folder)
      const { rows } = await database.pool.query<{ id: string; symbol: string }>(
        'select id, symbol from marketdata.symbols',
      )
      const hours = await archiveAll(database.pool, 'depth_events')
      const db = createDatabase({
        database_url: database.reader_url,
        gateway_url: gateway.url,
        gateway_secret: SECRET,
      })
      const lines = depthLines(folder)
      for (const { id, symbol } of rows) {
        const changes = changesOf(lines, symbol)
        const cold = await archivedDepth(hours, symbol)
        const from = changes.find(({ kind }) => kind === 'snapshot')!.change.ts_exchange
        const to = changes.at(-1)!.change.ts_exchange
        for (const share of [0, 0.0371, 0.25, 0.5003, 0.8, 1]) {
          const ts = micros(from + Math.floor((to - from) * share))
          const found = told(await bookAt(cold, ts))
          expect(found, `${symbol} at ${ts}`).toEqual(mapBookAt(changes, ts))
          expect(found).toEqual(told(await bookAt(depthSource(db, Number(id)), ts)))
        }
      }
    })
  }
})
