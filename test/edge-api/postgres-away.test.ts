/** Hot and cold reads while Postgres refuses connections or is frozen behind a running gateway. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { afterAll, expect, test } from 'vitest'
import { fromMillis } from '#core/time.ts'
import { composeApp } from '../../edge-api/compose.ts'
import { writeInstruments } from '../../jobs/archive/instruments-file.ts'
import { archiveHour, dropHour } from '../support/archive-hours.ts'
import { fillHour } from '../support/market-hours.ts'
import { addSymbol, startEdge, startTestGateway, type TestEdge } from './support.ts'

const HOUR = '2024-08-07T22:00:00Z'

/** A proxy to Postgres that can be closed or frozen, including its open connections. */
async function startWay(postgres_url: string) {
  const { hostname, port } = new URL(postgres_url)
  let mode: 'open' | 'refuse' | 'freeze' = 'open'
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    if (mode === 'refuse') return near.destroy()
    const far = connect(Number(port), hostname)
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket)
      socket.on('data', (chunk: Buffer) => {
        if (mode !== 'freeze') other.write(chunk)
      })
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = new URL(postgres_url)
  url.port = String((server.address() as AddressInfo).port)
  return {
    url: url.href,
    set(wanted: typeof mode) {
      mode = wanted
      if (wanted !== 'freeze') for (const socket of sockets) socket.destroy()
    },
    stop: () => server.close(),
  }
}

const edge = await startEdge()
const way = await startWay(edge.bindings['DATABASE_URL']!)
const gateway = await startTestGateway(way.url)
afterAll(async () => {
  await gateway.stop()
  way.stop()
})
const bindings: TestEdge['bindings'] = {
  ...edge.bindings,
  DATABASE_URL: way.url,
  GATEWAY_URL: gateway.url,
}

/** A worker that has just started, with empty caches. */
function freshWorker() {
  const app = composeApp(bindings, { now: () => fromMillis(Date.now()), report: () => undefined })
  return async (path: string) => app.request(path)
}

const COLD = ['quotes', 'trades', 'depth', 'mark-price', 'liquidations'].map(
  (table) => `/v1/${table}/BTCUSDT?from=${HOUR}&to=2024-08-07T23:00:00Z&limit=1000`,
)
const HOT = [
  '/v1/quotes/BTCUSDT/latest',
  '/v1/trades/BTCUSDT',
  '/v1/gaps',
  '/v1/jobs',
  '/v1/validation',
  '/v1/coverage/BTCUSDT',
]
const BOOK = '/v1/book/BTCUSDT?ts=2024-08-07T22:30:00Z'

async function read(ask: ReturnType<typeof freshWorker>, path: string): Promise<unknown> {
  const response = await ask(path)
  expect([path, response.status]).toEqual([path, 200])
  return response.json()
}

test('while Postgres is down or frozen, cold reads, books and symbols work, and hot reads are 503', async () => {
  const symbol_id = await addSymbol(edge.pool, 'BTCUSDT')
  await fillHour(edge.pool, symbol_id, HOUR, 200)
  // A book that is whole: its snapshot is the first row of the hour.
  await edge.pool.query(
    `delete from marketdata.depth_events;
     insert into marketdata.depth_events
       (ts_exchange, ts_ingest, symbol_id, depth_kind, first_update_id, final_update_id, bids, asks)
     select ts, ts, ${symbol_id}, case n when 0 then 'snapshot' else 'diff' end, nullif(n, 0), n,
       array[array[100 - n % 5, 1 + n]]::float8[], array[array[101, 1]]::float8[]
     from generate_series(0, 3000) n, lateral (select '${HOUR}'::timestamptz + n * interval '1 s' as ts) t`,
  )
  for (const table of [
    'book_ticker',
    'trades',
    'depth_events',
    'mark_price',
    'liquidations',
  ] as const) {
    await dropHour(edge.pool, await archiveHour(edge.pool, edge.store, table, HOUR))
  }
  await writeInstruments(edge.pool, edge.store)
  const before = freshWorker()
  const expected = new Map<string, unknown>()
  for (const path of [...COLD, BOOK, '/v1/symbols']) expected.set(path, await read(before, path))
  const { rows } = expected.get(COLD[1]!) as { readonly rows: readonly unknown[] }
  expect(rows).toHaveLength(200)

  for (const mode of ['refuse', 'freeze'] as const) {
    way.set(mode)
    const ask = freshWorker()
    for (const path of HOT) {
      const response = await ask(path)
      const { type } = (await response.json()) as { readonly type: string }
      expect([mode, path, response.status, type, response.headers.get('retry-after')]).toEqual([
        mode,
        path,
        503,
        'urn:booktape:problem:database_unreachable',
        '5',
      ])
    }
    for (const [path, answer] of expected)
      expect(await read(ask, path), `${mode} ${path}`).toEqual(answer)
    // A worker that has just started asks once, and serves the rest from the archive at once.
    const started = freshWorker()
    await read(started, COLD[0]!)
    const began = performance.now()
    for (let i = 0; i < 20; i++)
      expect((await started('/v1/quotes/BTCUSDT/latest')).status).toBe(503)
    expect(performance.now() - began).toBeLessThan(15_000)
    way.set('open')
    await expect.poll(async () => (await ask('/v1/gaps')).status).toBe(200)
  }
})

test('while Postgres is down an unknown symbol is a 404, and an ambiguous one needs exchange=', async () => {
  await addSymbol(edge.pool, 'BTCUSDT', 'binance-spot')
  await writeInstruments(edge.pool, edge.store)
  way.set('refuse')
  const ask = freshWorker()
  expect((await ask(COLD[1]!.replace('BTCUSDT', 'NOSUCHUSDT'))).status).toBe(404)
  const ambiguous = await ask(COLD[1]!)
  expect(ambiguous.status).toBe(400)
  expect(await ambiguous.text()).toContain('binance-futures, binance-spot')
  way.set('open')
})

test('errors of a busy Postgres are 503 with Retry-After; others are errors of the statement', async () => {
  const headers = {
    authorization: `Bearer ${bindings['GATEWAY_SECRET']}`,
    'neon-connection-string': way.url,
  }
  const sql = (query: string) =>
    fetch(`${gateway.url}/sql`, { method: 'POST', headers, body: JSON.stringify({ query }) })
  await expect.poll(async () => (await sql('select 1')).status).toBe(200)
  await edge.pool.query(
    `create function public.fails_with(state text) returns int language plpgsql as $$
     begin raise exception 'no room' using errcode = state; end $$;
     grant execute on function public.fails_with(text) to public`,
  )
  for (const [state, status] of [
    ['53200', 503],
    ['53300', 503],
    ['57P03', 503],
    ['22012', 400],
  ] as const) {
    const response = await sql(`select public.fails_with('${state}')`)
    expect([state, response.status, response.headers.get('retry-after')]).toEqual([
      state,
      status,
      status === 503 ? '1' : null,
    ])
  }
})
