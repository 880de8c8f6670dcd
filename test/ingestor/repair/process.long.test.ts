/**
 * Whole ingestors in separate processes, over real sockets, against an exchange that misbehaves.
 */
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { Pool } from '#core/node/pool.ts'
import { ID_MODULUS } from '../../../infra/exchange/ledger.ts'
import { type ExchangeServer, startExchange } from '../../../infra/exchange/server.ts'
import type { AggTradeRow } from '../../../infra/exchange/source.ts'
import { createTestDatabase } from '../../support/database.ts'
import { type IngestorProcess, received, startIngestor, until } from '../support.ts'
import { temporaryDirectory } from '../writer/support.ts'

const SYMBOL_COUNT = 10

async function simulator(): Promise<ExchangeServer> {
  const exchange = await startExchange({
    port: 0,
    source: { kind: 'sim', seed: 11, symbols: SYMBOL_COUNT, events_per_s: 1_500 },
    limits: { weight_per_minute_max: 1_000_000 },
  })
  afterAll(() => exchange.stop())
  return exchange
}

function start(
  exchange: ExchangeServer,
  database_url: string,
  tape_dir: string,
  more = {},
): IngestorProcess {
  return startIngestor({
    DATABASE_URL: database_url,
    TAPE_DIR: tape_dir,
    CHANNELS: 'book_ticker,trades',
    EXCHANGE_WS_URL: exchange.ws_url,
    EXCHANGE_REST_URL: exchange.url,
    REST_WEIGHT_PER_MINUTE: '1000000',
    ...more,
  })
}

/** Trades of the exchange that we lack, between the first and last stored trade of each symbol. */
async function missingTrades(exchange: ExchangeServer, pool: Pool): Promise<readonly string[]> {
  const { rows } = await pool.query<{ symbol: string; trades: Record<string, unknown> }>(
    `select s.symbol, json_object_agg(t.agg_trade_id, json_build_array(t.price, t.qty,
        extract(epoch from t.ts_exchange) * 1000, t.first_trade_id, t.last_trade_id)) as trades
      from marketdata.trades t join marketdata.symbols s on s.id = t.symbol_id group by s.symbol`,
  )
  const missing: string[] = []
  for (const { symbol, trades } of rows) {
    const ids = Object.keys(trades).map(Number)
    const last_id = Math.max(...ids)
    for (let from_id = Math.min(...ids); from_id <= last_id;) {
      const path = `/fapi/v1/aggTrades?symbol=${symbol}&fromId=${from_id}&limit=1000`
      const page = (await (await fetch(exchange.url + path)).json()) as AggTradeRow[]
      for (const { a, p, q, T, f, l } of page) {
        const facts = JSON.stringify([Number(p), Number(q), T, f, l])
        if (a <= last_id && JSON.stringify(trades[a]) !== facts) missing.push(`${symbol} ${a}`)
      }
      from_id = page.at(-1)!.a + 1
    }
  }
  return missing
}

function sentFrames(exchange: ExchangeServer): number {
  return exchange.ledger().streams.reduce((sum, stream) => sum + stream.sent_count, 0)
}

function withheldTrades(exchange: ExchangeServer): number {
  return exchange
    .ledger()
    .streams.filter(({ stream }) => stream.endsWith('@aggTrade'))
    .reduce((sum, stream) => sum + stream.undelivered_count, 0)
}

/** Frames multiplied by the sockets they went to. */
function copiesOf(exchange: ExchangeServer): number {
  return exchange.ledger().streams.reduce((sum, stream) => sum + stream.copy_count, 0)
}

const openGaps = async (pool: Pool): Promise<number> => {
  const { rows } = await pool.query<{ open: number }>(
    `select count(*)::int as open from marketdata.gaps where channel = 'trades' and repaired_at is null`,
  )
  return rows[0]!.open
}

test('dropped frames, cut sockets, corrupt frames and a kill -9: every trade between the first and the last is stored', async () => {
  const exchange = await simulator()
  const { url, pool } = await createTestDatabase()
  const tape_dir = join(temporaryDirectory(), 'tape')
  const first = start(exchange, url, tape_dir)
  await first.ready
  await received(first, 1_000)
  exchange.setFaults({
    faults: [
      { kind: 'drop', streams: '*@aggTrade', probability: 0.1 },
      { kind: 'corrupt', streams: '*@aggTrade', probability: 0.02 },
    ],
  })
  await until('enough trades are withheld', () => withheldTrades(exchange) > 40)
  const sockets_closed_at = sentFrames(exchange)
  exchange.setFaults({ faults: [], actions: [{ kind: 'close_all' }] })
  await until('it is subscribed again', () => sentFrames(exchange) > sockets_closed_at + 200)
  first.kill('SIGKILL')
  expect(await first.exited).toBe('SIGKILL')
  const withheld_before = withheldTrades(exchange)
  await until('trades are missed', () => withheldTrades(exchange) > withheld_before + 100)

  const second = start(exchange, url, tape_dir)
  await second.ready
  await received(second, 2_000)
  exchange.setFaults({ faults: [{ kind: 'silence' }] })
  await exchange.settled()
  await second.drain()
  await until('no gap of trades is open', async () => (await openGaps(pool)) === 0)
  const { rows } = await pool.query<{ cause: string }>(
    `select distinct cause from marketdata.gaps where channel = 'trades' order by 1`,
  )
  const causes = rows.map((row) => row.cause)
  expect(causes).toContain('sequence')
  // If the kill comes before the first trade after the cut, both are one gap.
  expect(causes.some((cause) => cause === 'restart' || cause === 'disconnect')).toBe(true)
  expect(await missingTrades(exchange, pool)).toEqual([])
  await until('the status counts them', () => (second.status()?.gaps_repaired ?? 0) > SYMBOL_COUNT)
  second.kill('SIGTERM')
  expect(await second.exited).toBe(0)
})

test('killed with -9 in the middle of the repair, repeatedly: the next start continues it', async () => {
  const exchange = await simulator()
  const { url, pool } = await createTestDatabase()
  const tape_dir = join(temporaryDirectory(), 'tape')
  const first = start(exchange, url, tape_dir)
  await first.ready
  await received(first, 500)
  exchange.setFaults({ faults: [{ kind: 'drop', streams: '*@aggTrade', probability: 0.3 }] })
  await until('enough trades are withheld', () => withheldTrades(exchange) > 150)
  first.kill('SIGKILL')
  await first.exited
  exchange.setFaults({ faults: [] })
  for (const frame_count of [200, 500]) {
    const ingestor = start(exchange, url, tape_dir)
    await ingestor.ready
    await received(ingestor, frame_count)
    ingestor.kill('SIGKILL')
    await ingestor.exited
  }
  const last = start(exchange, url, tape_dir)
  await last.ready
  await received(last, 1_000)
  exchange.setFaults({ faults: [{ kind: 'silence' }] })
  await exchange.settled()
  await last.drain()
  await until('no gap of trades is open', async () => (await openGaps(pool)) === 0)
  expect(await missingTrades(exchange, pool)).toEqual([])
})

test('two ingestors that record the same symbols into one database give the rows of one, each once', async () => {
  const exchange = await simulator()
  const { url, pool } = await createTestDatabase()
  const both = ['first', 'second'].map((INGESTOR_ID) =>
    start(exchange, url, join(temporaryDirectory(), 'tape'), { INGESTOR_ID }),
  )
  await Promise.all(both.map((ingestor) => ingestor.ready))
  const heard_by_one = copiesOf(exchange)
  await until('both have received enough', () => copiesOf(exchange) > heard_by_one + 6_000)
  exchange.setFaults({ faults: [{ kind: 'silence' }] })
  await exchange.settled()
  const counts = await Promise.all(both.map((ingestor) => ingestor.drain()))

  const sent = exchange.ledger().streams.filter((stream) => stream.sent_count > 0)
  const { rows } = await pool.query<{ stream: string; facts: string }>(
    `select stream, concat_ws(' ', count(*), sum(id % $1) % $1, min(id), max(id)) as facts
      from (
        select lower(symbol) || '@bookTicker' as stream, update_id as id
          from marketdata.book_ticker join marketdata.symbols s on s.id = symbol_id
        union all
        select lower(symbol) || '@aggTrade', agg_trade_id
          from marketdata.trades join marketdata.symbols s on s.id = symbol_id
      ) events group by stream`,
    [ID_MODULUS],
  )
  expect(Object.fromEntries(rows.map((row) => [row.stream, row.facts]))).toEqual(
    Object.fromEntries(
      sent.map(({ stream, sent_count, id_sum_mod, first_id, last_id }) => [
        stream,
        [sent_count, id_sum_mod, first_id, last_id].join(' '),
      ]),
    ),
  )
  // Once both ran, both received every event, and the tables hold it once.
  const copies = copiesOf(exchange)
  const rows_stored = counts.reduce(
    (sum, { rows: stored }) => sum + stored.book_ticker + stored.trades,
    0,
  )
  const met = counts.reduce(
    (sum, { duplicates }) => sum + duplicates.book_ticker + duplicates.trades,
    0,
  )
  expect(rows_stored + met).toBe(copies)
  expect(met).toBeGreaterThan((copies - heard_by_one) / 3)
  expect(await pool.query('select from marketdata.gaps')).toMatchObject({ rowCount: 0 })
  for (const ingestor of both) ingestor.kill('SIGTERM')
  expect(await Promise.all(both.map((ingestor) => ingestor.exited))).toEqual([0, 0])
})

test('two shards together record every symbol once', async () => {
  const exchange = await simulator()
  const { url, pool } = await createTestDatabase()
  const both = ['1/2', '2/2'].map((SHARD) =>
    start(exchange, url, join(temporaryDirectory(), 'tape'), { SHARD }),
  )
  await Promise.all(both.map((ingestor) => ingestor.ready))
  // The marks of their first subscription name all their streams.
  for (const ingestor of both) await ingestor.drain()
  const { rows } = await pool.query<{ ingestor_id: string; symbols: number }>(
    `select ingestor_id, count(distinct symbol_id)::int as symbols from marketdata.stream_offsets
      group by ingestor_id order by 1`,
  )
  expect(rows.map((row) => row.ingestor_id)).toEqual(['local-shard-1', 'local-shard-2'])
  expect(rows[0]!.symbols + rows[1]!.symbols).toBe(SYMBOL_COUNT)
  const shared = await pool.query(
    'select from marketdata.stream_offsets group by symbol_id having count(distinct ingestor_id) > 1',
  )
  expect(shared.rowCount).toBe(0)
})
