/** The book at any time, from the tables of a recording, through the gateway. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bookAt, type BookAt } from '#core/book-at.ts'
import { type Micros, micros } from '#core/time.ts'
import { createDatabase } from '../../../edge-api/queries/database.ts'
import { depthSource } from '../../../edge-api/queries/depth-source.ts'
import { BTC, depthLines, FEEDS_DIR, FIVE_COINS } from '../../core/depth-recordings.ts'
import { type Change, changesOf, mapBookAt } from '../../core/map-book.ts'
import { loadRecordedDepth } from '../../support/recorded-depth.ts'
import { createReaderDatabase, SECRET, startTestGateway } from '../support.ts'

const MOMENTS = 8

/** Loads a recording into a database, and its updates for comparison. */
async function load(folder: string) {
  const database = await createReaderDatabase()
  const gateway = await startTestGateway(database.reader_url)
  afterAll(() => gateway.stop())
  await loadRecordedDepth(database, folder)
  const { rows } = await database.pool.query<{ id: string; symbol: string }>(
    'select id, symbol from marketdata.symbols order by symbol',
  )
  const ids = new Map(rows.map(({ id, symbol }) => [symbol, Number(id)]))
  const lines = depthLines(folder)
  const db = createDatabase({
    database_url: database.reader_url,
    gateway_url: gateway.url,
    gateway_secret: SECRET,
  })
  return {
    pool: database.pool,
    idOf: (symbol: string) => ids.get(symbol)!,
    changes: new Map([...ids.keys()].map((symbol) => [symbol, changesOf(lines, symbol)])),
    find: (symbol: string, ts: Micros) => bookAt(depthSource(db, ids.get(symbol)!), ts),
  }
}

type Loaded = Awaited<ReturnType<typeof load>>

function bookOf(found: BookAt) {
  if (found.kind !== 'book') return found.kind
  const { book, update_id } = found
  return { update_id, bids: book.bids.top(Infinity), asks: book.asks.top(Infinity) }
}

/** A time between the snapshot and the last update. */
function randomMoment(changes: readonly Change[]): Micros {
  const from = changes.find(({ kind }) => kind === 'snapshot')!.change.ts_exchange
  const to = changes.at(-1)!.change.ts_exchange
  return micros(from + Math.floor(Math.random() * (to - from)))
}

describe.skipIf(FEEDS_DIR === undefined)('recordings (FEEDS_DIR names their folder)', () => {
  for (const folder of [BTC, FIVE_COINS]) {
    test(`${folder}: at random times and at the end, the book equals that of the recording`, async () => {
      const { changes, find } = await load(folder)
      for (const [symbol, own] of changes) {
        const last = own.at(-1)!.change.ts_exchange
        const moments = Array.from({ length: MOMENTS }, () => randomMoment(own))
        for (const ts of [...moments, last]) {
          expect(bookOf(await find(symbol, ts)), `${symbol} at ${ts}`).toEqual(mapBookAt(own, ts))
        }
      }
    })
  }

  describe('with one change of BATUSDT lost and a snapshot taken some seconds later', () => {
    let loaded: Loaded
    let lost: Change
    let before: Change
    let mended: Micros

    beforeAll(async () => {
      loaded = await load(FIVE_COINS)
      const diffs = loaded.changes.get('BATUSDT')!.filter(({ kind }) => kind === 'diff')
      before = diffs[199]!
      lost = diffs[200]!
      mended = diffs[260]!.change.ts_exchange
      const id = loaded.idOf('BATUSDT')
      await loaded.pool.query(
        'delete from marketdata.depth_events where symbol_id = $1 and final_update_id = $2',
        [id, lost.change.final_update_id],
      )
      const { update_id, bids, asks } = mapBookAt(loaded.changes.get('BATUSDT')!, mended)
      await loaded.pool.query(
        `insert into marketdata.depth_events
           (ts_exchange, ts_ingest, symbol_id, depth_kind, final_update_id, bids, asks)
         values (to_timestamp($1), now(), $2, 'snapshot', $3, $4, $5)`,
        [mended / 1e6, id, update_id, bids, asks],
      )
    })

    test('there is no book from the update before the gap to the snapshot', async () => {
      const { find } = loaded
      const since = before.change.ts_exchange
      for (const ts of [since, lost.change.ts_exchange, micros(mended - 1)]) {
        expect(await find('BATUSDT', ts)).toEqual({ kind: 'gap', since })
      }
      const own = loaded.changes.get('BATUSDT')!
      const earlier = micros(since - 1)
      expect(bookOf(await find('BATUSDT', earlier))).toEqual(mapBookAt(own, earlier))
    })

    test('the book after it is right, and the other books stayed available', async () => {
      for (const [symbol, own] of loaded.changes) {
        const moments = [mended, own.at(-1)!.change.ts_exchange]
        const others = symbol === 'BATUSDT' ? [] : [lost.change.ts_exchange]
        for (const ts of [...moments, ...others]) {
          expect(bookOf(await loaded.find(symbol, ts)), symbol).toEqual(mapBookAt(own, ts))
        }
      }
    })
  })
})
