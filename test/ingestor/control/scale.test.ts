/** An ingestor in full flow that is steered over its admin API: what stays is not touched. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import type { Pool } from '#core/node/pool.ts'
import { ID_MODULUS } from '../../../infra/exchange/ledger.ts'
import { type ExchangeServer, startExchange } from '../../../infra/exchange/server.ts'
import { symbolsUpToTier, TIERS } from '../../../ingestor/symbol-tiers.ts'
import { createTestDatabase } from '../../support/database.ts'
import { startIngestor, until } from '../support.ts'
import { temporaryDirectory } from '../writer/support.ts'
import { ask, type Answer } from './support.ts'

const exchanges: ExchangeServer[] = []
afterAll(() => Promise.all(exchanges.map((exchange) => exchange.stop())))

/** Of all symbols; SCALE_EVENTS_PER_S=12000 is some 10,000 frames/s with 200 symbols. */
const EVENTS_PER_S = Number(process.env['SCALE_EVENTS_PER_S'] ?? 4_000)
/** Between two changes. */
const FRAMES = Number(process.env['SCALE_FRAMES'] ?? 2_000)
const STAYING = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT']

async function start(events_per_s: number, more: Readonly<Record<string, string>> = {}) {
  const symbols = symbolsUpToTier(3)
  const exchange = await startExchange({
    port: 0,
    source: { kind: 'sim', seed: 5, symbols, events_per_s },
  })
  exchanges.push(exchange)
  const { url, pool } = await createTestDatabase()
  const dir = join(temporaryDirectory(), 'tape')
  const env = {
    DATABASE_URL: url,
    TAPE_DIR: dir,
    EXCHANGE_WS_URL: exchange.ws_url,
    EXCHANGE_REST_URL: exchange.url,
    SYMBOLS: STAYING.join(','),
    CHANNELS: 'book_ticker,trades,depth_events',
    ...more,
  }
  const socket = join(dir, 'control.sock')
  const launch = () => startIngestor(env)
  const call = (path: string, method?: string, body?: unknown, headers = {}): Promise<Answer> =>
    ask(socket, path, { ...(method === undefined ? {} : { method }), body, headers })
  /** Every stream that is wanted is carried by an open socket. */
  const settled = (count: number): Promise<void> =>
    until(`${count} symbols are heard`, async () => {
      const { body } = await call('/status')
      const { streams_wanted, streams_heard, symbol_count } = body.actual
      return symbol_count === count && streams_heard === streams_wanted
    })
  return { exchange, pool, dir, env, launch, call, settled }
}

/** Count, sum and ends of the ids of a stream, as the exchange's ledger has them. */
async function storedStreams(
  pool: Pool,
  symbols: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const { rows } = await pool.query<{ stream: string; facts: string }>(
    `with events as (
      select symbol_id, '@bookTicker' as name, update_id as event_id from marketdata.book_ticker
      union all select symbol_id, '@aggTrade', agg_trade_id from marketdata.trades
      union all select symbol_id, '@depth@100ms', final_update_id from marketdata.depth_events where depth_kind = 'diff')
    select lower(symbol) || name as stream,
      concat_ws(' ', count(*), (sum(event_id % $1) % $1)::bigint, min(event_id), max(event_id)) as facts
    from events join marketdata.symbols s on s.id = symbol_id where symbol = any($2) group by 1`,
    [ID_MODULUS, symbols],
  )
  return new Map(rows.map((row) => [row.stream, row.facts]))
}

/** Books are recorded of the first tier. */
function streamsOf(symbol: string): readonly string[] {
  const channels = [
    'book_ticker',
    ...(TIERS[0]!.includes(symbol) ? ['depth_events'] : []),
    'trades',
  ]
  return channels.map((channel) => `${symbol} ${channel}`)
}

async function ledgerLines(pool: Pool): Promise<readonly string[]> {
  const { rows } = await pool.query<{ line: string }>(`
    select concat_ws(' ', symbol, channel, cause, case when to_ts is null then 'open' else 'ended' end) as line
    from marketdata.gap_ledger g join marketdata.symbols s on s.id = g.symbol_id order by 1`)
  return rows.map(({ line }) => line)
}

test('3, 50, 200 and 3 symbols again in full flow: nothing of what stays is lost, doubled or connected anew', async () => {
  const { exchange, pool, dir, launch, call, settled } = await start(EVENTS_PER_S)
  const ingestor = launch()
  await ingestor.ready
  const first = await call('/status')
  const connections = first.body.sockets.map(({ connection }: { connection: number }) => connection)
  expect(connections.length).toBeGreaterThan(0)
  for (const count of [50, 200, 3]) {
    const plan = await call('/scale?dry_run=true', 'POST', { count })
    expect(plan.body).toMatchObject({ is_dry_run: true, is_changed: true })
    const done = await call('/scale', 'POST', { count })
    expect(done.status, done.text).toBe(200)
    expect(done.body.result).toEqual(plan.body.result)
    await settled(count)
    const rows = (): number => ingestor.status()?.frames_received ?? 0
    const before = rows()
    await until('frames came', () => rows() > before + FRAMES)
    const { sockets } = (await call('/status')).body
    const now = sockets.map(({ connection }: { connection: number }) => connection)
    for (const connection of connections) expect(now).toContain(connection)
  }
  exchange.setFaults({ faults: [{ kind: 'silence' }] })
  await exchange.settled()
  await ingestor.drain()
  const sent = exchange.ledger().streams.filter(({ stream, sent_count }) => {
    const symbol = stream.split('@')[0]!.toUpperCase()
    return sent_count > 0 && STAYING.includes(symbol)
  })
  expect(sent).toHaveLength(9)
  const expected = sent.map(({ stream, sent_count, id_sum_mod, first_id, last_id }) => {
    return [stream, [sent_count, id_sum_mod, first_id, last_id].join(' ')] as const
  })
  expect(await storedStreams(pool, STAYING)).toEqual(new Map(expected))
  const { body } = await call('/status')
  expect(body.writer.duplicates).toMatchObject({ book_ticker: 0, trades: 0, depth_events: 0 })
  const gone = symbolsUpToTier(3).filter((symbol) => !STAYING.includes(symbol))
  expect(await ledgerLines(pool)).toEqual(
    gone.flatMap((symbol) => streamsOf(symbol).map((name) => `${name} operator open`)).toSorted(),
  )
  // On the disk, over the API, and in the database: the same three changes, each once.
  const lines = readFileSync(join(dir, 'audit.ndjson'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(
    lines.map(({ revision, actor, origin, action, request, after }) => ({
      revision,
      actor,
      origin,
      action,
      request,
      symbols: after.symbols,
    })),
  ).toEqual(
    [50, 200, 3].map((count, index) => ({
      revision: index + 1,
      actor: 'local',
      origin: 'unix socket',
      action: 'scale',
      request: { count },
      symbols: { count },
    })),
  )
  expect((await call('/audit')).body.entries).toEqual(lines.toReversed())
  const stored = async () =>
    (await pool.query('select audit_id from marketdata.audit order by revision')).rows
  await until('the database has them', async () => (await stored()).length === 3)
  expect(await stored()).toEqual(lines.map(({ audit_id }) => ({ audit_id })))
  const { rows: known } = await pool.query(
    'select exchange, recording, revision, symbols_wanted, pid from marketdata.ingestors',
  )
  expect(known).toMatchObject([
    { exchange: 'binance-futures', recording: 'recording', revision: 3, symbols_wanted: 3 },
  ])
  ingestor.kill('SIGTERM')
  expect(await ingestor.exited).toBe(0)
})

test('a pause in full flow: nothing is recorded in it, and the ledger says so of every stream', async () => {
  const { exchange, pool, launch, call, settled } = await start(EVENTS_PER_S)
  const ingestor = launch()
  await ingestor.ready
  await until('frames came', () => (ingestor.status()?.frames_received ?? 0) > 500)
  expect((await call('/recording', 'POST', { state: 'paused' })).status).toBe(200)
  const [paused_at] = (await call('/audit')).body.entries.map(({ at }: { at: string }) => at)
  await ingestor.drain()
  const frames: number = (await call('/status')).body.feed.frames_received
  const sentCount = (): number =>
    exchange.ledger().streams.reduce((sum, { sent_count }) => sum + sent_count, 0)
  // What was under way when the sockets were closed.
  let sent = -1
  await until('the exchange sends nothing', async () => {
    const before = sentCount()
    await sleep(300)
    sent = sentCount()
    return sent === before
  })
  await until('the pause lasts a while', () => Date.now() - Date.parse(paused_at) > 2_000)
  expect(sentCount()).toBe(sent)
  expect((await call('/status')).body.feed.frames_received).toBe(frames)
  expect((await call('/recording', 'POST', { state: 'recording' })).status).toBe(200)
  await settled(3)
  await until('frames came', () => (ingestor.status()?.frames_received ?? 0) > frames + 500)
  await until('every stream has spoken', async () =>
    (await ledgerLines(pool)).every((line) => line.endsWith('ended')),
  )
  expect(await ledgerLines(pool)).toEqual(
    STAYING.flatMap((symbol) =>
      streamsOf(symbol).map((name) => `${name} operator ended`),
    ).toSorted(),
  )
  // Not a row of the pause, not by repair either.
  const { rows } = await pool.query<{ n: number }>(
    `select count(*)::int as n
     from (select symbol_id, 'book_ticker' as channel, ts_ingest, ts_exchange from marketdata.book_ticker
       union all select symbol_id, 'trades', ts_ingest, ts_exchange from marketdata.trades) e
     join marketdata.gaps g on g.symbol_id = e.symbol_id and g.channel = e.channel
       and e.ts_exchange > g.from_ts and e.ts_exchange < g.to_ts
     where e.ts_ingest > $1::timestamptz + interval '100 milliseconds'`,
    [paused_at],
  )
  expect(rows[0]!.n).toBe(0)
  ingestor.kill('SIGTERM')
  expect(await ingestor.exited).toBe(0)
})
