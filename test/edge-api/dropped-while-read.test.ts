/** Books and quotes while their hour leaves Postgres between two statements of one request. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { fromMillis } from '#core/time.ts'
import { composeApp } from '../../edge-api/compose.ts'
import { archiveHour, dropHour } from '../support/archive-hours.ts'
import { atFileEnd } from '../support/file-end.ts'
import { addSymbol, startEdge } from './support.ts'

const HOUR = '2024-08-08T22:00:00Z'

/** In front of the gateway; `onQuery` is awaited before a statement is passed on. */
async function startProxy(gateway_url: string, onQuery: (body: string) => Promise<void>) {
  const server = createServer((request, response) => {
    const pass = async (): Promise<void> => {
      const body = await text(request)
      await onQuery(body)
      const { host: _host, connection: _connection, ...headers } = request.headers
      const answer = await fetch(`${gateway_url}${request.url}`, {
        method: request.method!,
        headers: headers as Record<string, string>,
        body,
      })
      response.writeHead(answer.status, { 'content-type': 'application/json' })
      response.end(Buffer.from(await answer.arrayBuffer()))
    }
    pass().catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  atFileEnd(() => new Promise<void>((resolve) => server.close(() => resolve())))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const DIFFS = /depth_kind = 'diff' and final_update_id/

for (const page of [1, 2]) {
  test(`an hour that is dropped before page ${page} of its diffs is read: the same book`, async () => {
    const edge = await startEdge()
    await edge.pool.query("select marketdata.ensure_hour('depth_events', $1)", [HOUR])
    await edge.pool.query(
      `insert into marketdata.depth_events
         (symbol_id, ts_exchange, ts_ingest, depth_kind, first_update_id, final_update_id, bids, asks)
       select $1, ts, ts, case n when 0 then 'snapshot' else 'diff' end, nullif(n, 0), n,
         array[array[100 - n % 5, 1 + n]]::float8[], array[array[101, 1]]::float8[]
       from generate_series(0, 900) n,
         lateral (select $2::timestamptz + make_interval(mins => 40, secs => n) as ts) t`,
      [await addSymbol(edge.pool, 'BOOKUSDT'), HOUR],
    )
    let pages_until_drop = Infinity
    let drop_count = 0
    const GATEWAY_URL = await startProxy(String(edge.bindings.GATEWAY_URL), async (body) => {
      const { query } = JSON.parse(body) as { query: string }
      if (!DIFFS.test(query) || --pages_until_drop !== 0) return
      drop_count += 1
      await dropHour(edge.pool, await archiveHour(edge.pool, edge.store, 'depth_events', HOUR))
    })
    const now = (): ReturnType<typeof fromMillis> => fromMillis(Date.parse('2024-08-09T01:10:00Z'))
    const read = async (): Promise<unknown> => {
      const app = composeApp({ ...edge.bindings, GATEWAY_URL }, { now, report: () => undefined })
      const response = await app.request('/v1/book/BOOKUSDT?ts=2024-08-08T22:54:00Z')
      return { status: response.status, body: await response.json() }
    }
    const hot = await read()
    expect(hot).toMatchObject({ status: 200, body: { update_id: 840, age_ms: 0 } })
    pages_until_drop = page
    expect(await read()).toEqual(hot)
    expect(drop_count).toBe(1)
    expect(await read()).toEqual(hot)
  })
}

const START = '2024-08-08T22:54:00Z'
const MOMENTS = [
  `/v1/snapshot?ts=${START}`,
  `/v1/quotes/BOOKUSDT/at?ts=${START}`,
  `/v1/trades/BOOKUSDT?from=${HOUR}&to=${START}&with=quote`,
]

for (const [when, statement] of [
  ['before its quotes are read', /marketdata\.book_ticker b/],
  ['before its files are listed', /from marketdata\.archive/],
] as const) {
  test(`an hour of quotes that is dropped ${when}: the same answers`, async () => {
    const edge = await startEdge()
    await edge.pool.query("select marketdata.ensure_hour('book_ticker', $1)", [HOUR])
    await edge.pool.query("select marketdata.ensure_hour('trades', $1)", [HOUR])
    const id = await addSymbol(edge.pool, 'BOOKUSDT')
    await edge.pool.query(
      `insert into marketdata.book_ticker
         (symbol_id, ts_exchange, ts_ingest, update_id, best_bid, best_ask, bid_qty, ask_qty)
       select $1, ts, ts, n, 100 + n, 101 + n, 1, 1 from generate_series(0, 599) n,
         lateral (select $2::timestamptz + make_interval(mins => 50, secs => n) as ts) t`,
      [id, HOUR],
    )
    await edge.pool.query(
      `insert into marketdata.trades
         (symbol_id, ts_exchange, ts_ingest, agg_trade_id, price, qty, is_buyer_maker)
       select $1, ts, ts, n, 100, 1, true from generate_series(0, 30) n,
         lateral (select $2::timestamptz + make_interval(mins => 49, secs => 13 * n) as ts) t`,
      [id, HOUR],
    )
    let is_armed = false
    let is_dropped = false
    const GATEWAY_URL = await startProxy(String(edge.bindings.GATEWAY_URL), async (body) => {
      const { query } = JSON.parse(body) as { query: string }
      if (!is_armed || is_dropped || !statement.test(query)) return
      is_dropped = true
      await dropHour(edge.pool, await archiveHour(edge.pool, edge.store, 'book_ticker', HOUR))
    })
    const now = (): ReturnType<typeof fromMillis> => fromMillis(Date.parse('2024-08-09T01:10:00Z'))
    const read = async (path: string): Promise<unknown> => {
      const app = composeApp({ ...edge.bindings, GATEWAY_URL }, { now, report: () => undefined })
      const response = await app.request(path)
      return { path, status: response.status, body: await response.json() }
    }
    const hot = await Promise.all(MOMENTS.map(read))
    expect(hot.map((answer) => (answer as { status: number }).status)).toEqual([200, 200, 200])
    is_armed = true
    expect(await Promise.all(MOMENTS.map(read))).toEqual(hot)
    expect(is_dropped).toBe(true)
    expect(await Promise.all(MOMENTS.map(read))).toEqual(hot)
  })
}
