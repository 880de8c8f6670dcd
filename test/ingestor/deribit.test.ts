/** Index prices from Deribit's socket to marketdata.prices, by the whole program. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import type { Pool } from '#core/node/pool.ts'
import {
  type ExchangeOptions,
  type ExchangeServer,
  startExchange,
} from '../../infra/exchange/server.ts'
import { createTestDatabase } from '../support/database.ts'
import { FEEDS_DIR } from './exchanges/recordings.ts'
import { cutAndMiss, type IngestorProcess, missed, startIngestor, until } from './support.ts'
import { temporaryDirectory } from './writer/support.ts'

const exchanges: ExchangeServer[] = []
afterAll(() => Promise.all(exchanges.map((exchange) => exchange.stop())))

async function exchangeOf(options: Partial<ExchangeOptions> = {}): Promise<ExchangeServer> {
  const source = { kind: 'sim', seed: 7, symbols: 3, events_per_s: 50 } as const
  const exchange = await startExchange({ port: 0, source, ...options })
  exchanges.push(exchange)
  return exchange
}

function record(
  exchange: ExchangeServer,
  DATABASE_URL: string,
  env: Readonly<Record<string, string>> = {},
): IngestorProcess {
  return startIngestor({
    EXCHANGE: 'deribit',
    DATABASE_URL,
    TAPE_DIR: join(temporaryDirectory(), 'tape'),
    EXCHANGE_WS_URL: exchange.ws_url,
    EXCHANGE_REST_URL: exchange.url,
    SYMBOLS: 'btc_usd,eth_usd',
    ...env,
  })
}

interface Value {
  readonly name: string
  readonly ms: number
  readonly price: number
}

/** A recording of Deribit with these values, in this order. */
function recordingOf(values: readonly Value[]): string {
  const lines = values.map(({ name, ms, price }) => {
    const data = { timestamp: ms, price, index_name: name }
    const params = { channel: `deribit_price_index.${name}`, data }
    const frame = { jsonrpc: '2.0', method: 'subscription', params }
    return JSON.stringify({ t: 'ws', ts: ms * 1_000, data: JSON.stringify(frame) })
  })
  const file = join(temporaryDirectory(), 'feed.ndjson')
  const header = { t: 'header', exchange: 'deribit', symbols: ['btc_usd', 'eth_usd'] }
  writeFileSync(file, [JSON.stringify(header), ...lines, ''].join('\n'))
  return file
}

async function play(exchange: ExchangeServer, ...ingestors: readonly IngestorProcess[]) {
  await Promise.all(ingestors.map((ingestor) => ingestor.ready))
  exchange.startReplay()
  await until('the recording is played', () => exchange.status().state === 'done')
  await exchange.settled()
  return Promise.all(ingestors.map((ingestor) => ingestor.drain()))
}

async function storedPrices(pool: Pool): Promise<readonly string[]> {
  const { rows } = await pool.query<{ line: string }>(
    `select concat_ws(' ', ticker, round(extract(epoch from "timestamp") * 1000), price) as line
     from marketdata.prices order by 1`,
  )
  return rows.map((row) => row.line)
}

/** Each key once, with the value that came first. */
function expectedPrices(values: readonly Value[]): readonly string[] {
  const first = new Map<string, string>()
  for (const { name, ms, price } of values) {
    const key = `${name} ${ms}`
    if (!first.has(key)) first.set(key, `${key} ${price}`)
  }
  return [...first.values()].toSorted()
}

async function gapsOf(pool: Pool): Promise<readonly Record<string, unknown>[]> {
  const { rows } = await pool.query(
    `select s.symbol, g.channel, g.cause, g.from_id, g.to_id, g.repair_note, g.to_ts > g.from_ts as has_length
     from marketdata.gaps g join marketdata.symbols s on s.id = g.symbol_id order by g.id`,
  )
  return rows
}

const START_MS = Date.UTC(2026, 2, 1, 12, 59, 58)

test('two ingestors receive the same values, some twice and late: each is one row', async () => {
  const values = Array.from({ length: 600 }, (_, at): Value => {
    const index = at % 7 === 3 ? at - 2 : at // repeats an older one
    const name = index % 2 === 0 ? 'btc_usd' : 'eth_usd'
    return { name, ms: START_MS + index * 500, price: 61_000 + index / 100 + 1e-8 }
  })
  const file = recordingOf(values)
  const exchange = await exchangeOf({ source: { kind: 'replay', files: [file], speed: 'max' } })
  const { url, pool } = await createTestDatabase()
  const counts = await play(
    exchange,
    record(exchange, url, { INGESTOR_ID: 'one' }),
    record(exchange, url, { INGESTOR_ID: 'two' }),
  )
  const expected = expectedPrices(values)
  expect(expected.length).toBeLessThan(values.length)
  expect(await storedPrices(pool)).toEqual(expected)
  const stored = counts.map((count) => count.rows.prices)
  expect(stored[0]! + stored[1]!).toBe(expected.length)
  for (const count of counts) {
    expect(count.rows.prices + count.duplicates.prices).toBe(values.length)
    expect(count).toMatchObject({ rejected: {}, dead_letters: 0, gaps: 0 })
  }
  const { rows } = await pool.query(
    `select symbol, instrument_type, base_asset, tick_size from marketdata.symbols where exchange = 'deribit' order by 1`,
  )
  expect(rows).toEqual([
    { symbol: 'btc_usd', instrument_type: 'index', base_asset: 'BTC', tick_size: null },
    { symbol: 'eth_usd', instrument_type: 'index', base_asset: 'ETH', tick_size: null },
  ])
})

test('heartbeats are answered; a cut socket and a kill -9 are gaps in the ledger, and nothing is stored twice', async () => {
  const exchange = await exchangeOf({ limits: { heartbeat_second_ms: 60 } })
  const { url, pool } = await createTestDatabase()
  const env = { TAPE_DIR: join(temporaryDirectory(), 'tape') }
  const ingestor = record(exchange, url, env)
  await ingestor.ready
  // Two intervals of 30 shortened seconds. Without an answer the second one ends the socket.
  await sleep(4_000)
  await ingestor.drain()
  expect(await gapsOf(pool)).toEqual([])

  const channels = exchange
    .ledger()
    .streams.map(({ stream }) => stream)
    .filter((name) => /(btc|eth)_usd$/.test(name))
  expect(channels.length).toBe(2)
  await cutAndMiss(exchange, channels)
  await until('both streams deliver again', async () => {
    await ingestor.drain()
    return (await gapsOf(pool)).length === 2
  })
  ingestor.kill('SIGKILL')
  await ingestor.exited
  await missed(exchange, channels)
  const again = record(exchange, url, env)
  await again.ready
  await until('both streams deliver after the restart', async () => {
    await again.drain()
    return (await gapsOf(pool)).length === 4
  })
  const gaps = await gapsOf(pool)
  for (const gap of gaps) {
    expect(gap).toMatchObject({ channel: 'prices', from_id: null, to_id: null, has_length: true })
    expect(gap['repair_note']).toContain('index values')
  }
  expect(gaps.map((gap) => `${String(gap['symbol'])} ${String(gap['cause'])}`).toSorted()).toEqual([
    'btc_usd disconnect',
    'btc_usd restart',
    'eth_usd disconnect',
    'eth_usd restart',
  ])
  again.kill('SIGTERM')
  expect(await again.exited).toBe(0)
  const sent = exchange.ledger().streams.find(({ stream }) => stream.endsWith('btc_usd'))!
  const { rows } = await pool.query<{ count: string; last: string }>(
    `select count(*), max(round(extract(epoch from "timestamp") * 1000)) as last
     from marketdata.prices where ticker = 'btc_usd'`,
  )
  expect(Number(rows[0]!.count)).toBeLessThanOrEqual(sent.sent_count)
  expect(Number(rows[0]!.count)).toBeGreaterThan(3)
})

test('an index that the exchange does not list is a configuration error', async () => {
  const exchange = await exchangeOf()
  const { url } = await createTestDatabase()
  const ingestor = record(exchange, url, { SYMBOLS: 'btc_usd,xyz_usd' })
  await expect(ingestor.ready).rejects.toThrow('no active one is named xyz_usd')
  expect(await ingestor.exited).toBe(1)
})

const TICKERS = join(FEEDS_DIR ?? '', 'deribit-index', 'index_price_from_tickers.jsonl')
test.skipIf(FEEDS_DIR === undefined || !existsSync(TICKERS))(
  'real index values of 2021 arrive with every digit (needs FEEDS_DIR)',
  async () => {
    const values = readFileSync(TICKERS, 'utf8')
      .trim()
      .split('\n')
      .map((line): Value => {
        const row = JSON.parse(line) as { currency: string; timestamp: number; index_price: number }
        return {
          name: `${row.currency.toLowerCase()}_usd`,
          ms: row.timestamp,
          price: row.index_price,
        }
      })
    const file = recordingOf(values)
    const exchange = await exchangeOf({ source: { kind: 'replay', files: [file], speed: 'max' } })
    const { url, pool } = await createTestDatabase()
    await play(exchange, record(exchange, url))
    expect(await storedPrices(pool)).toEqual(expectedPrices(values))
    expect(values.length).toBe(454)
  },
)
