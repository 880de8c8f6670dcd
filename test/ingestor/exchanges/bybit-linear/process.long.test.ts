/** Bybit from socket to tables: the whole program against the exchange server. */
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { OrderBook } from '#core/book.ts'
import type { Level } from '#core/market.ts'
import type { Pool } from '#core/node/pool.ts'
import { type ExchangeServer, startExchange } from '../../../../infra/exchange/server.ts'
import { createTestDatabase } from '../../../support/database.ts'
import { cutAndMiss, type IngestorProcess, missed, startIngestor, until } from '../../support.ts'
import { temporaryDirectory } from '../../writer/support.ts'

const SYMBOLS = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT']
const exchanges: ExchangeServer[] = []
afterAll(() => Promise.all(exchanges.map((exchange) => exchange.stop())))

async function exchangeOf(): Promise<ExchangeServer> {
  const source = { kind: 'sim', seed: 7, symbols: SYMBOLS, events_per_s: 300 } as const
  const exchange = await startExchange({ port: 0, source })
  exchanges.push(exchange)
  return exchange
}

function record(
  exchange: ExchangeServer,
  DATABASE_URL: string,
  env: Readonly<Record<string, string>> = {},
): IngestorProcess {
  return startIngestor({
    EXCHANGE: 'bybit-linear',
    DATABASE_URL,
    TAPE_DIR: join(temporaryDirectory(), 'tape'),
    EXCHANGE_WS_URL: exchange.ws_url,
    EXCHANGE_REST_URL: exchange.url,
    ...env,
  })
}

/** Waits until the market is done and everything sent is in the tables. */
async function settle(exchange: ExchangeServer, ingestor: IngestorProcess) {
  exchange.setFaults({ actions: [{ kind: 'halt' }] })
  await until('the market is done', () => exchange.status().state === 'done')
  await exchange.settled()
  return ingestor.drain()
}

/** The book that the exchange sends to a new subscription. */
async function bookOfExchange(exchange: ExchangeServer, symbol: string) {
  const socket = new WebSocket(`${exchange.ws_url}/v5/public/linear`)
  const whole = new Promise<{ b: string[][]; a: string[][]; u: number }>((resolve) => {
    socket.on('message', (text) => {
      const { type, data } = JSON.parse(String(text)) as { type?: string; data: never }
      if (type === 'snapshot') resolve(data)
    })
  })
  await new Promise((resolve) => socket.once('open', resolve))
  socket.send(JSON.stringify({ op: 'subscribe', args: [`orderbook.50.${symbol}`] }))
  const { b, a, u } = await whole
  socket.terminate()
  const levels = (side: string[][]): Level[] =>
    side.map(([price, qty]) => [Number(price), Number(qty)])
  return { bids: levels(b), asks: levels(a), u }
}

/** The newest recorded snapshot with every later diff applied. */
async function bookOfTables(pool: Pool, symbol: string) {
  const { rows } = await pool.query<{
    depth_kind: string
    u: string
    bids: [number, number][]
    asks: [number, number][]
  }>(
    `select depth_kind, final_update_id as u, bids, asks from marketdata.depth_events d
     join marketdata.symbols s on s.id = d.symbol_id where s.symbol = $1
     order by final_update_id, depth_kind desc`,
    [symbol],
  )
  const start = rows.findLastIndex((row) => row.depth_kind === 'snapshot')
  const book = new OrderBook()
  book.replace(rows[start]!)
  for (const row of rows.slice(start + 1)) book.apply(row)
  return { bids: book.bids.top(60), asks: book.asks.top(60), u: Number(rows.at(-1)!.u) }
}

async function gapsOf(pool: Pool): Promise<readonly string[]> {
  const { rows } = await pool.query<{ line: string }>(
    `select concat_ws(' ', s.symbol, g.channel, g.cause) as line
     from marketdata.gaps g join marketdata.symbols s on s.id = g.symbol_id order by 1`,
  )
  return rows.map((row) => row.line)
}

const countsOf = async (pool: Pool, sql: string): Promise<readonly unknown[]> =>
  (await pool.query<{ line: unknown }>(sql)).rows.map((row) => row.line)

test("symbols, quotes, trades, books and mark prices fill; every book equals the exchange's", async () => {
  const exchange = await exchangeOf()
  const { url, pool } = await createTestDatabase()
  const ingestor = record(exchange, url)
  await ingestor.ready
  await until('each symbol has three mark prices', async () => {
    const found = await countsOf(
      pool,
      'select count(*)::int as line from marketdata.mark_price group by symbol_id',
    )
    return found.length === SYMBOLS.length && found.every((count) => Number(count) >= 3)
  })
  const counts = await settle(exchange, ingestor)

  expect(counts).toMatchObject({
    rejected: {},
    ignored: {},
    dead_letters: 0,
    gaps: 0,
    void_trades: 0,
  })
  await until('the status shows the books', () => ingestor.status()?.books_synced === 3)
  expect(ingestor.status()).toMatchObject({
    books: 3,
    books_synced: 3,
    books_lost: 0,
    state: 'live',
  })
  for (const symbol of SYMBOLS) {
    const expected = await bookOfExchange(exchange, symbol)
    expect(await bookOfTables(pool, symbol)).toEqual(expected)
    expect(expected.bids.length).toBe(50)
  }
  const sentOf = (topic: string): number =>
    exchange.ledger().streams.find(({ stream }) => stream === topic)!.sent_count
  for (const symbol of SYMBOLS) {
    const of_symbol = `from marketdata.symbols s join marketdata.%t t on t.symbol_id = s.id where s.symbol = '${symbol}'`
    const rowsIn = async (table: string, and = ''): Promise<unknown> =>
      (
        await countsOf(
          pool,
          `select count(*)::int as line ${of_symbol.replace('%t', table)} ${and}`,
        )
      )[0]
    expect(await rowsIn('depth_events', "and depth_kind = 'diff'")).toBe(
      sentOf(`orderbook.50.${symbol}`),
    )
    expect(await rowsIn('depth_events', "and depth_kind = 'snapshot'")).toBe(1)
    // And the snapshot at the start of the subscription.
    expect(await rowsIn('book_ticker')).toBeGreaterThanOrEqual(sentOf(`orderbook.1.${symbol}`))
    expect(await rowsIn('trades', 'and t.first_trade_id is null')).toBeGreaterThanOrEqual(
      sentOf(`publicTrade.${symbol}`),
    )
    expect(await rowsIn('mark_price')).toBeGreaterThanOrEqual(3)
  }
  expect(
    await countsOf(
      pool,
      `select distinct (index_price is not null and funding_rate is not null
         and next_funding_at > ts_exchange) as line from marketdata.mark_price`,
    ),
  ).toEqual([true])
  const { rows } = await pool.query(
    'select symbol, exchange, instrument_type, tick_size, step_size, is_active from marketdata.symbols order by 1',
  )
  expect(rows[0]).toEqual({
    symbol: 'BTCUSDT',
    exchange: 'bybit-linear',
    instrument_type: 'perp',
    tick_size: 0.1,
    step_size: 0.001,
    is_active: true,
  })
  expect(rows.length).toBe(3)
})

test('a diff that never arrives: only that book is lost, and a second subscription restores it', async () => {
  const exchange = await exchangeOf()
  const { url, pool } = await createTestDatabase()
  const ingestor = record(exchange, url)
  await ingestor.ready
  await until('all books are in sequence', () => ingestor.status()?.books_synced === 3)
  exchange.setFaults({ faults: [{ kind: 'drop', streams: 'orderbook.50.ETHUSDT', count_max: 1 }] })
  await until('one is lost', () => ingestor.status()?.books_lost === 1)
  await until('it is in sequence again', () => ingestor.status()?.books_synced === 3)
  const counts = await settle(exchange, ingestor)
  expect(counts).toMatchObject({ rejected: {}, dead_letters: 0, gaps: 1 })
  expect(await gapsOf(pool)).toEqual(['ETHUSDT depth_events sequence'])
  expect(ingestor.status()).toMatchObject({ books_synced: 3, books_lost: 1 })
  expect(await bookOfTables(pool, 'ETHUSDT')).toEqual(await bookOfExchange(exchange, 'ETHUSDT'))
})

test('snapshots are requested repeatedly without missing anything', async () => {
  const exchange = await exchangeOf()
  const { url, pool } = await createTestDatabase()
  const ingestor = record(exchange, url, { DEPTH_SNAPSHOT_S: '1' })
  await ingestor.ready
  await until('three rounds have come', async () => {
    const found = await countsOf(
      pool,
      `select count(*)::int as line from marketdata.depth_events where depth_kind = 'snapshot' group by symbol_id`,
    )
    return found.length === 3 && found.every((count) => Number(count) >= 4)
  })
  // The second subscription must deliver diffs that the first one delivered too.
  await until(
    'both subscriptions overlapped',
    () => (ingestor.status()?.duplicates.depth_events ?? 0) > 0,
  )
  const counts = await settle(exchange, ingestor)
  expect(counts).toMatchObject({ rejected: {}, dead_letters: 0, gaps: 0 })
  expect(ingestor.status()).toMatchObject({ books_lost: 0 })
})

test('a cut socket and a kill -9 are in the ledger, and nothing else; no mark price is incomplete', async () => {
  const exchange = await exchangeOf()
  const { url, pool } = await createTestDatabase()
  const env = { TAPE_DIR: join(temporaryDirectory(), 'tape'), SYMBOLS: 'BTCUSDT' }
  const ingestor = record(exchange, url, env)
  await ingestor.ready
  await until('rows come', () => (ingestor.status()?.rows_committed.mark_price ?? 0) > 0)
  const topics = ['publicTrade', 'orderbook.50', 'orderbook.1', 'tickers'].map(
    (topic) => `${topic}.BTCUSDT`,
  )
  await cutAndMiss(exchange, topics)
  // Trades, diffs, quotes and mark prices. Liquidations may be quiet.
  await until('all deliver again', async () => {
    await ingestor.drain()
    return (await gapsOf(pool)).filter((line) => !line.includes('liquidations')).length === 4
  })
  ingestor.kill('SIGKILL')
  await ingestor.exited
  await missed(exchange, topics)
  const again = record(exchange, url, env)
  await again.ready
  await until('all deliver after the restart', async () => {
    await again.drain()
    return (await gapsOf(pool)).filter((line) => !line.includes('liquidations')).length === 8
  })
  const counts = await settle(exchange, again)
  expect(counts).toMatchObject({ rejected: {}, dead_letters: 0 })
  const gaps = (await gapsOf(pool)).filter((line) => !line.includes('liquidations'))
  expect(gaps).toEqual(
    ['book_ticker', 'depth_events', 'mark_price', 'trades'].flatMap((channel) =>
      ['disconnect', 'restart'].map((cause) => `BTCUSDT ${channel} ${cause}`),
    ),
  )
  expect(
    await countsOf(
      pool,
      'select count(*)::int as line from marketdata.mark_price where index_price is null',
    ),
  ).toEqual([0])
  expect(await bookOfTables(pool, 'BTCUSDT')).toEqual(await bookOfExchange(exchange, 'BTCUSDT'))
  const { rows } = await pool.query<{ ids: string[]; note: string }>(
    `select array_agg(distinct concat(from_id, to_id)) as ids, min(repair_note) as note
     from marketdata.gaps where channel = 'trades'`,
  )
  expect(rows[0]).toEqual({
    ids: [''],
    note: 'The trades of this exchange have no ids by which to request them.',
  })
})
