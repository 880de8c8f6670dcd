/** Binance spot through the whole program: sockets, books, repair, and times in microseconds. */
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { Pool } from '#core/node/pool.ts'
import { ID_MODULUS } from '../../infra/exchange/ledger.ts'
import { type ExchangeServer, startExchange } from '../../infra/exchange/server.ts'
import { createTestDatabase } from '../support/database.ts'
import { type IngestorProcess, startIngestor, until } from './support.ts'
import { temporaryDirectory } from './writer/support.ts'

const exchanges: ExchangeServer[] = []
afterAll(() => Promise.all(exchanges.map((exchange) => exchange.stop())))

async function start(more: Readonly<Record<string, string>>) {
  const source = {
    kind: 'sim',
    seed: 11,
    symbols: ['BTCUSDT', 'ETHUSDT'],
    events_per_s: 800,
  } as const
  const exchange = await startExchange({ port: 0, source, venue: 'binance-spot' })
  exchanges.push(exchange)
  const { url, pool } = await createTestDatabase()
  const ingestor = startIngestor({
    EXCHANGE: 'binance-spot',
    DATABASE_URL: url,
    TAPE_DIR: join(temporaryDirectory(), 'tape'),
    EXCHANGE_WS_URL: exchange.ws_url,
    EXCHANGE_REST_URL: exchange.url,
    ...more,
  })
  await ingestor.ready
  return { exchange, pool, ingestor }
}

/** Waits until nothing more is sent and everything is committed. */
async function settle(exchange: ExchangeServer, ingestor: IngestorProcess): Promise<void> {
  exchange.setFaults({ actions: [{ kind: 'halt' }] })
  await until('the market is done', () => exchange.status().state === 'done')
  await exchange.settled()
  await ingestor.drain()
}

/** Rows, distinct ids and their sum per stream, in the form of the exchange's ledger. */
async function storedStreams(pool: Pool): Promise<ReadonlyMap<string, string>> {
  const { rows } = await pool.query<{ stream: string; facts: string }>(
    `with events as (
      select symbol_id, '@bookTicker' as name, update_id as event_id from marketdata.book_ticker
      union all
      select symbol_id, '@aggTrade', agg_trade_id from marketdata.trades
      union all
      select symbol_id, case depth_kind when 'diff' then '@depth@100ms' else '@depth10@100ms' end,
          final_update_id
        from marketdata.depth_events where depth_kind <> 'snapshot'
    )
    select lower(symbol) || name as stream,
      concat_ws(' ', count(*), count(distinct event_id), (sum(event_id % $1) % $1)::bigint) as facts
    from events join marketdata.symbols s on s.id = symbol_id group by 1`,
    [ID_MODULUS],
  )
  return new Map(rows.map((row) => [row.stream, row.facts]))
}

function sentStreams(exchange: ExchangeServer): ReadonlyMap<string, string> {
  const streams = exchange.ledger().streams.filter(({ sent_count }) => sent_count > 0)
  return new Map(
    streams.map(({ stream, sent_count, id_sum_mod }) => {
      return [stream, [sent_count, sent_count, id_sum_mod].join(' ')] as const
    }),
  )
}

test('a socket that announces its end is replaced at once: each event is one row, quotes without a time too', async () => {
  const { exchange, pool, ingestor } = await start({
    DEPTH_SYMBOLS: 'all',
    DEPTH_STREAMS: 'diff,partial10',
  })
  await until('both books are in sequence', () => ingestor.status()?.books_synced === 2)
  const sockets_before = exchange.status().socket_count
  expect(sockets_before).toBe(1)
  exchange.setFaults({ actions: [{ kind: 'server_shutdown', close_after_ms: 60_000 }] })
  await until('a second socket is open', () => exchange.status().socket_count === 2)
  await until('the first one is left', () => exchange.status().socket_count === 1)
  await settle(exchange, ingestor)

  expect(await storedStreams(pool)).toEqual(sentStreams(exchange))
  const { duplicates } = await ingestor.drain()
  // The sockets must have overlapped.
  expect(duplicates.book_ticker).toBeGreaterThan(0)
  expect(duplicates.depth_events).toBeGreaterThan(0)
  expect(ingestor.status()).toMatchObject({ books: 2, books_synced: 2, books_lost: 0 })
  const { rows: gaps } = await pool.query('select channel, cause from marketdata.gaps')
  expect(gaps).toEqual([])
  const { rows } = await pool.query(`
    select bool_and(ts_exchange <= ts_ingest) as is_receive_time,
      bool_and(ts_exchange > ts_ingest - interval '5 seconds') as is_recent,
      bool_and(update_id >= coalesce(before, 0)) as is_in_order
    from (select *, lag(update_id) over (partition by symbol_id order by ts_exchange, update_id) as before
      from marketdata.book_ticker)`)
  expect(rows).toEqual([{ is_receive_time: true, is_recent: true, is_in_order: true }])
  const { rows: snapshots } = await pool.query(
    "select count(distinct symbol_id)::int as symbols, min(cardinality(bids)) > 100 as is_deep from marketdata.depth_events where depth_kind = 'snapshot'",
  )
  expect(snapshots).toEqual([{ symbols: 2, is_deep: true }])
  ingestor.kill('SIGTERM')
  expect(await ingestor.exited).toBe(0)
})

test('a diff lost in transit: only that book is lost, has a gap, and is in sequence again', async () => {
  const { exchange, pool, ingestor } = await start({
    CHANNELS: 'depth_events',
    DEPTH_SYMBOLS: 'all',
  })
  await until('both books are in sequence', () => ingestor.status()?.books_synced === 2)
  exchange.setFaults({ faults: [{ kind: 'drop', streams: 'ethusdt@depth*', count_max: 1 }] })
  await until('a book is lost', () => ingestor.status()?.books_lost === 1)
  await until('it is in sequence again', () => ingestor.status()?.books_synced === 2)
  await ingestor.drain()
  const { rows } = await pool.query(`
    select symbol, channel, cause, exists (select from marketdata.depth_events d
        where d.symbol_id = g.symbol_id and d.final_update_id = g.to_id
          and d.first_update_id > g.from_id + 1) as fits
    from marketdata.gaps g join marketdata.symbols s on s.id = g.symbol_id`)
  expect(rows).toEqual([
    { symbol: 'ETHUSDT', channel: 'depth_events', cause: 'sequence', fits: true },
  ])
  ingestor.kill('SIGTERM')
  expect(await ingestor.exited).toBe(0)
})

for (const TIME_UNIT of ['millisecond', 'microsecond']) {
  test(`missed trades are refilled over REST with the stream's times, in ${TIME_UNIT}s`, async () => {
    const { exchange, pool, ingestor } = await start({ CHANNELS: 'trades', TIME_UNIT })
    await until('trades are written', () => (ingestor.status()?.rows_committed.trades ?? 0) > 20)
    exchange.setFaults({
      faults: [{ kind: 'drop', streams: '*@aggTrade', probability: 0.2, count_max: 40 }],
    })
    await until('the fault is over', () => exchange.status().faults.length === 0)
    await until('every gap is closed', async () => {
      await ingestor.drain()
      const { rows } = await pool.query<{ open: number; closed: number }>(
        `select count(*) filter (where repaired_at is null)::int as open,
          count(*) filter (where repaired_at is not null)::int as closed from marketdata.gaps`,
      )
      return rows[0]!.open === 0 && rows[0]!.closed > 0
    })
    await settle(exchange, ingestor)
    const { rows } = await pool.query(`
      select count(*) = max(agg_trade_id) - min(agg_trade_id) + 1 as is_whole,
        count(*) = count(distinct agg_trade_id) as is_single,
        bool_or(extract(microseconds from ts_exchange)::bigint % 1000 > 0) as has_fine_times
      from marketdata.trades group by symbol_id`)
    const expected = {
      is_whole: true,
      is_single: true,
      has_fine_times: TIME_UNIT === 'microsecond',
    }
    expect(rows).toEqual([expected, expected])
    ingestor.kill('SIGTERM')
    expect(await ingestor.exited).toBe(0)
  })
}
