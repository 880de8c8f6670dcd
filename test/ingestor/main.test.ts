/** The whole program as a process, against the exchange server over real sockets. */
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { orderOf } from '#core/market.ts'
import { createPool, type Pool } from '#core/node/pool.ts'
import { freePort } from '../../infra/local/ports.ts'
import { type ExchangeServer, startExchange } from '../../infra/exchange/server.ts'
import { ID_MODULUS } from '../../infra/exchange/ledger.ts'
import type { Parsed } from '../../ingestor/exchanges/adapter.ts'
import { adapterByCode } from '../../ingestor/exchanges/registry.ts'
import { openReader } from '../../ingestor/tape/reader.ts'
import type { TapeRecord } from '../../ingestor/tape/record.ts'
import { createTestDatabase } from '../support/database.ts'
import { withDatabase } from '../support/global-setup.ts'
import { type IngestorProcess, received, startIngestor, until } from './support.ts'
import { appendAll, CHOICE, openTestTape, temporaryDirectory, text } from './writer/support.ts'
import { CONNECT_LIMIT_MS } from '../support/patience.ts'

const SYMBOL_COUNT = 20

const exchanges: ExchangeServer[] = []
afterAll(() => Promise.all(exchanges.map((exchange) => exchange.stop())))

async function simulator(events_per_s: number): Promise<ExchangeServer> {
  const exchange = await startExchange({
    port: 0,
    source: { kind: 'sim', seed: 7, symbols: SYMBOL_COUNT, events_per_s },
  })
  exchanges.push(exchange)
  return exchange
}

function environment(exchange: ExchangeServer, database_url: string, tape_dir: string) {
  return {
    DATABASE_URL: database_url,
    TAPE_DIR: tape_dir,
    EXCHANGE_WS_URL: exchange.ws_url,
    EXCHANGE_REST_URL: exchange.url,
    CHANNELS: 'book_ticker,trades',
  }
}

/** Waits until nothing more is sent and everything has arrived. */
async function quiet(exchange: ExchangeServer, ingestor: IngestorProcess): Promise<void> {
  exchange.setFaults({ faults: [{ kind: 'silence' }] })
  await exchange.settled()
  await ingestor.drain()
}

/** Count and sum of ids per stream, in the form of the exchange's ledger. */
async function storedStreams(pool: Pool): Promise<ReadonlyMap<string, string>> {
  const { rows } = await pool.query<{ stream: string; facts: string }>(
    `with events as (
      select lower(symbol) || '@bookTicker' as stream, update_id as id
        from marketdata.book_ticker join marketdata.symbols s on s.id = symbol_id
      union all
      select lower(symbol) || '@aggTrade', agg_trade_id
        from marketdata.trades join marketdata.symbols s on s.id = symbol_id
    )
    select stream, concat_ws(' ', count(*), sum(id % $1) % $1, min(id), max(id)) as facts
    from events group by stream`,
    [ID_MODULUS],
  )
  return new Map(rows.map((row) => [row.stream, row.facts]))
}

test('everything that the exchange sent is in the tables, stream by stream, and a stop leaves nothing behind', async () => {
  const exchange = await simulator(3_000)
  const { url, pool } = await createTestDatabase()
  const health_port = await freePort()
  const ingestor = startIngestor({
    ...environment(exchange, url, join(temporaryDirectory(), 'tape')),
    HEALTH_PORT: String(health_port),
  })
  await ingestor.ready
  await received(ingestor, 6_000)
  const health = await fetch(`http://127.0.0.1:${health_port}/health`)
  expect(health.status).toBe(200)
  expect(await health.json()).toMatchObject({ status: 'ok', state: 'live' })
  await quiet(exchange, ingestor)

  const sent = exchange.ledger().streams.filter((stream) => stream.sent_count > 0)
  expect(sent.length).toBeGreaterThan(SYMBOL_COUNT)
  const expected = sent.map(({ stream, sent_count, id_sum_mod, first_id, last_id }) => [
    stream,
    [sent_count, id_sum_mod, first_id, last_id].join(' '),
  ])
  expect(await storedStreams(pool)).toEqual(new Map(expected as [string, string][]))

  ingestor.kill('SIGTERM')
  expect(await ingestor.exited).toBe(0)
  expect(ingestor.output()).toContain('everything on the tape is committed')
  const { rows } = await pool.query('select count(*)::int as gaps from marketdata.gaps')
  expect(rows).toEqual([{ gaps: 0 }])
  const symbols = await pool.query('select from marketdata.symbols where tick_size is null')
  expect(symbols.rowCount).toBe(0)
})

test('killed repeatedly with -9 under load: everything on the tape is in the tables, every missing trade in the ledger', async () => {
  const exchange = await simulator(3_000)
  const { url, pool } = await createTestDatabase()
  const tape_dir = join(temporaryDirectory(), 'tape')
  const env = environment(exchange, url, tape_dir)
  for (const frame_count of [2_000, 1_200, 2_500]) {
    const ingestor = startIngestor(env)
    await ingestor.ready
    await received(ingestor, frame_count)
    ingestor.kill('SIGKILL')
    expect(await ingestor.exited).toBe('SIGKILL')
  }
  const ingestor = startIngestor(env)
  await ingestor.ready
  await received(ingestor, 1_000)
  await quiet(exchange, ingestor)
  ingestor.kill('SIGTERM')
  expect(await ingestor.exited).toBe(0)

  // A client of the live stream that comes back is sent what has a later stamp.
  const records = [...recordsOf(tape_dir)].map(({ kind, ts_ingest }) => ({ kind, ts_ingest }))
  expect(records.filter(({ kind }) => kind === 'rest').length).toBeGreaterThan(10)
  const early = records.filter((one, at) => at > 0 && one.ts_ingest <= records[at - 1]!.ts_ingest)
  expect(early).toEqual([])
  const on_tape = readTapeKeys(tape_dir)
  const { rows } = await pool.query<{ key: string }>(`
    select s.symbol || ' q ' || update_id as key
      from marketdata.book_ticker join marketdata.symbols s on s.id = symbol_id
    union all
    select s.symbol || ' t ' || agg_trade_id
      from marketdata.trades join marketdata.symbols s on s.id = symbol_id`)
  expect(on_tape.size).toBeGreaterThan(3_000)
  expect(rows.map((row) => row.key).toSorted()).toEqual([...on_tape].toSorted())

  const unledgered = await pool.query(`
    with pairs as (
      select symbol_id, agg_trade_id as to_id,
        lag(agg_trade_id) over (partition by symbol_id order by agg_trade_id) as from_id
      from marketdata.trades
    )
    select from pairs p where to_id > from_id + 1 and not exists (
      select from marketdata.gaps g where g.symbol_id = p.symbol_id and g.channel = 'trades'
        and g.from_id = p.from_id and g.to_id = p.to_id)`)
  expect(unledgered.rowCount).toBe(0)
  const causes = await pool.query<{ cause: string }>('select distinct cause from marketdata.gaps')
  expect(causes.rows).toEqual([{ cause: 'restart' }])
})

test('a full tape disconnects and fails its health check; once it has room it resumes, and the gap is in the ledger', async () => {
  const exchange = await simulator(2_000)
  const { url, pool } = await createTestDatabase()
  const tape_dir = join(temporaryDirectory(), 'tape')
  const health_port = await freePort()
  const env = {
    ...environment(exchange, url, tape_dir),
    HEALTH_PORT: String(health_port),
    TAPE_MAX_BYTES: String(64 * 1024 * 1024),
    TAPE_SEGMENT_BYTES: String(16 * 1024 * 1024),
    TAPE_KEEP_S: '1',
  }
  const first = startIngestor(env)
  await first.ready
  await received(first, 500)
  first.kill('SIGTERM')
  expect(await first.exited).toBe(0)
  // Acknowledgements with padding, until the tape is full.
  const tape = openTestTape(tape_dir)
  const padding = text(0, JSON.stringify({ result: null, id: 1, padding: 'x'.repeat(60_000) }))
  while (tape.status().used_bytes < 58 * 1024 * 1024) appendAll(tape, [padding])
  await tape.close()
  // While the database is away nothing is committed, so nothing is freed.
  const admin = createPool(withDatabase(url, 'postgres'), 'test', 1, CONNECT_LIMIT_MS)
  const name = new URL(url).pathname.slice(1)
  await admin.query(`alter database ${name} allow_connections false`)

  const second = startIngestor(env)
  await until('the status says full', () => second.status()?.state === 'tape_full')
  const health = await fetch(`http://127.0.0.1:${health_port}/health`)
  expect(health.status).toBe(503)
  expect(second.status()?.frames_received).toBe(0)

  await admin.query(`alter database ${name} allow_connections true`)
  await admin.end()
  await second.ready
  await until('it is live again', () => second.status()?.state === 'live')
  await received(second, 500)
  await quiet(exchange, second)
  await until('quotes are committed', () => (second.status()?.rows_committed.book_ticker ?? 0) > 0)
  second.kill('SIGTERM')
  expect(await second.exited).toBe(0)
  const gaps = await pool.query<{ cause: string }>('select distinct cause from marketdata.gaps')
  expect(gaps.rows).toEqual([{ cause: 'restart' }])
})

for (const [name, more, expected] of [
  [
    'nonsense in several variables',
    { DATABASE_URL: 'mysql://x', TRADE_STREAM: 'all', BATCH_ROWS_MAX: '-1' },
    ['DATABASE_URL must', "TRADE_STREAM is 'all', but must", "BATCH_ROWS_MAX is '-1', but must"],
  ],
  [
    'a symbol that is not listed',
    { SYMBOLS: 'BTCUSDT,NOSUCHUSDT' },
    ['no active one is named NOSUCHUSDT'],
  ],
  [
    'a TAPE_MAX_BYTES that cannot hold two segments',
    { TAPE_MAX_BYTES: '67108864' },
    ['The limits of the tape do not fit together'],
  ],
] as const) {
  test(`${name}: a clear sentence and exit code 1`, async () => {
    const exchange = await simulator(100)
    const { url } = await createTestDatabase()
    const ingestor = startIngestor({
      ...environment(exchange, url, join(temporaryDirectory(), 'tape')),
      ...more,
    })
    expect(await ingestor.exited).toBe(1)
    for (const words of expected) expect(ingestor.output()).toContain(words)
    expect(ingestor.output()).not.toContain('    at ')
  })
}

/** Keys of all events in a tape's records. */
function readTapeKeys(tape_dir: string): ReadonlySet<string> {
  const keys = new Set<string>()
  for (const record of recordsOf(tape_dir)) {
    const parsed = parseRecord(record)
    if (parsed?.kind !== 'events') continue
    for (const event of parsed.events) {
      keys.add(`${event.symbol} ${event.kind === 'book_ticker' ? 'q' : 't'} ${orderOf(event)}`)
    }
  }
  return keys
}

function* recordsOf(tape_dir: string): Generator<TapeRecord> {
  const reader = openReader(tape_dir, 'oldest')
  for (;;) {
    const { records, damage } = reader.readBatch()
    if (records.length === 0 && damage === undefined) break
    yield* records
  }
  reader.close()
}

/** Frames, and the REST answers with refilled trades. */
function parseRecord({ kind, payload, ts_ingest, exchange_code }: TapeRecord): Parsed | undefined {
  if (kind === 'mark') return undefined
  const adapter = adapterByCode(exchange_code)
  if (kind === 'frame') return adapter.parse(payload, ts_ingest, CHOICE)
  const [path = '', ...body] = payload.toString('utf8').split('\n')
  return adapter.parseRest(path, body.join('\n'), ts_ingest, CHOICE)
}
