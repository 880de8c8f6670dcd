/** Books, mark prices, forced orders and listings through the whole program, over real sockets. */
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { Pool } from '#core/node/pool.ts'
import { ID_MODULUS } from '../../infra/exchange/ledger.ts'
import { type ExchangeServer, startExchange } from '../../infra/exchange/server.ts'
import { createTestDatabase } from '../support/database.ts'
import { startIngestor, until } from './support.ts'
import { temporaryDirectory } from './writer/support.ts'

const exchanges: ExchangeServer[] = []
afterAll(() => Promise.all(exchanges.map((exchange) => exchange.stop())))

async function start(symbols: readonly string[], more: Readonly<Record<string, string>>) {
  const source = { kind: 'sim', seed: 7, symbols, events_per_s: 3_000 } as const
  const exchange = await startExchange({ port: 0, source })
  exchanges.push(exchange)
  const { url, pool } = await createTestDatabase()
  const ingestor = startIngestor({
    DATABASE_URL: url,
    TAPE_DIR: join(temporaryDirectory(), 'tape'),
    EXCHANGE_WS_URL: exchange.ws_url,
    EXCHANGE_REST_URL: exchange.url,
    ...more,
  })
  await ingestor.ready
  return { exchange, pool, ingestor }
}

/** Count and sum of ids per stream, in the form of the exchange's ledger. */
async function storedStreams(pool: Pool): Promise<ReadonlyMap<string, string>> {
  const { rows } = await pool.query<{ stream: string; facts: string }>(
    `with events as (
      select symbol_id, case depth_kind when 'diff' then '@depth@100ms' else '@depth5@100ms' end as name,
          final_update_id as event_id
        from marketdata.depth_events where depth_kind <> 'snapshot'
      union all
      select symbol_id, '@markPrice@1s', extract(epoch from ts_exchange) * 1000 from marketdata.mark_price
      union all
      select symbol_id, '@forceOrder', extract(epoch from ts_exchange) * 1000 from marketdata.liquidations
    )
    select lower(symbol) || name as stream,
      concat_ws(' ', count(*), (sum(event_id::bigint % $1) % $1)::bigint, min(event_id)::bigint,
        max(event_id)::bigint) as facts
    from events join marketdata.symbols s on s.id = symbol_id group by 1`,
    [ID_MODULUS],
  )
  return new Map(rows.map((row) => [row.stream, row.facts]))
}

test('every stream that the exchange sent is in its table, with books of the chosen symbols only', async () => {
  const { exchange, pool, ingestor } = await start(['BTCUSDT', 'ETHUSDT', 'SOLUSDT'], {
    CHANNELS: 'depth_events,mark_price,liquidations',
    DEPTH_SYMBOLS: 'BTCUSDT,ETHUSDT',
    DEPTH_STREAMS: 'diff,partial5',
  })
  await until(
    'a forced order came',
    () => (ingestor.status()?.rows_committed.liquidations ?? 0) > 1,
  )
  exchange.setFaults({ faults: [{ kind: 'silence' }] })
  await exchange.settled()
  await ingestor.drain()
  const sent = exchange.ledger().streams.filter((stream) => stream.sent_count > 0)
  const classes = new Set(sent.map(({ stream }) => stream.split('@')[1]))
  expect([...classes].toSorted()).toEqual(['depth', 'depth5', 'forceOrder', 'markPrice'])
  expect(sent.some(({ stream }) => stream.startsWith('solusdt@depth'))).toBe(false)
  const expected = sent.map(({ stream, sent_count, id_sum_mod, first_id, last_id }) => {
    return [stream, [sent_count, id_sum_mod, first_id, last_id].join(' ')] as const
  })
  expect(await storedStreams(pool)).toEqual(new Map(expected))
  const { rows } = await pool.query('select cause, channel, from_id, to_id from marketdata.gaps')
  expect(rows).toEqual([])
  ingestor.kill('SIGTERM')
  expect(await ingestor.exited).toBe(0)
})

test('a diff lost in transit is a gap of only that symbol', async () => {
  const { exchange, pool, ingestor } = await start(['BTCUSDT', 'ETHUSDT'], {
    CHANNELS: 'depth_events',
    DEPTH_SYMBOLS: 'all',
  })
  await until('books are written', () => (ingestor.status()?.rows_committed.depth_events ?? 0) > 20)
  exchange.setFaults({ faults: [{ kind: 'drop', streams: 'ethusdt@depth*', count_max: 1 }] })
  await until('the gap is seen', () => (ingestor.status()?.gaps ?? 0) > 0)
  await ingestor.drain()
  const { rows } = await pool.query(`
    select symbol, channel, cause, repair_note is not null as has_note,
      exists (select from marketdata.depth_events d where d.symbol_id = g.symbol_id
        and d.final_update_id = g.to_id and d.prev_final_update_id > g.from_id) as fits
    from marketdata.gaps g join marketdata.symbols s on s.id = g.symbol_id`)
  expect(rows).toEqual([
    { symbol: 'ETHUSDT', channel: 'depth_events', cause: 'sequence', has_note: true, fits: true },
  ])
  ingestor.kill('SIGTERM')
  expect(await ingestor.exited).toBe(0)
})

test('a symbol is listed, one delisted and one gets a finer tick: all recorded at once', async () => {
  const { exchange, pool, ingestor } = await start(['BTCUSDT', 'ETHUSDT', 'SOLUSDT'], {
    CHANNELS: 'book_ticker,trades,mark_price',
  })
  const change = (symbol: string, kind: 'list' | 'delist' | 'finer_tick'): void =>
    exchange.setFaults({ actions: [{ kind: 'listing', symbol, change: kind }] })
  change('BTCUSDT', 'finer_tick')
  change('WIFUSDT', 'list')
  change('SOLUSDT', 'delist')
  const quotesOf = async (symbol: string): Promise<number> => {
    const { rows } = await pool.query<{ n: number }>(
      `select count(*)::int as n from marketdata.book_ticker
        join marketdata.symbols s on s.id = symbol_id where symbol = $1`,
      [symbol],
    )
    return rows[0]!.n
  }
  await until('the new symbol is recorded', async () => (await quotesOf('WIFUSDT')) > 5)
  const { rows } = await pool.query(`
    select symbol, array_agg(h.is_active order by valid_from) as active,
      array_agg(h.tick_size order by valid_from) as ticks, s.is_active
    from marketdata.symbol_history h join marketdata.symbols s on s.id = h.symbol_id
    group by symbol, s.is_active order by symbol`)
  expect(rows).toMatchObject([
    { symbol: 'BTCUSDT', active: [true, true], ticks: [0.1, 0.01], is_active: true },
    { symbol: 'ETHUSDT', active: [true], is_active: true },
    { symbol: 'SOLUSDT', active: [true, false], is_active: false },
    { symbol: 'WIFUSDT', active: [true], is_active: true },
  ])
  expect(ingestor.output()).toContain('"added":["WIFUSDT"],"removed":["SOLUSDT"]')
  // A symbol that is no longer traded is not waited for.
  const subscribed = exchange.ledger().streams.find(({ stream }) => stream === 'solusdt@bookTicker')
  expect(subscribed?.sent_count).toBeGreaterThan(0)
  const unended = async (): Promise<readonly string[]> => {
    const { rows: gaps } = await pool.query<{ line: string }>(`
      select concat_ws(' ', symbol, cause, count(*)) as line from marketdata.gap_ledger g
      join marketdata.symbols s on s.id = g.symbol_id where to_ts is null group by symbol, cause order by 1`)
    return gaps.map(({ line }) => line)
  }
  await until('SOL has ended', async () => (await unended()).includes('SOLUSDT delisted 3'))
  await until('no other gap is open', () => ingestor.status()?.lost_streams === 0)
  expect(await unended()).toEqual(['SOLUSDT delisted 3'])
  // Killed and never restarted: ten seconds later its streams are lost.
  ingestor.kill('SIGKILL')
  await ingestor.exited
  await pool.query(
    "update marketdata.tape_positions set updated_at = updated_at - interval '10 seconds'",
  )
  expect(await unended()).toEqual([
    'BTCUSDT restart 3',
    'ETHUSDT restart 3',
    'SOLUSDT delisted 3',
    'WIFUSDT restart 3',
  ])
})
