/**
 * Recording goes on after a restore: the ingestor's tape has what the backup lacks, nothing is
 * stored twice, and what is lost is in the ledger.
 */
import { renameSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { createObjectStore } from '#core/node/object-store.ts'
import { createPool, type Pool } from '#core/node/pool.ts'
import { ID_MODULUS } from '../../../infra/exchange/ledger.ts'
import { type ExchangeServer, startExchange } from '../../../infra/exchange/server.ts'
import type { BackupKind } from '../../../jobs/backup/manifest.ts'
import { runBackup } from '../../../jobs/backup/run-backup.ts'
import { runRestore } from '../../../jobs/restore/run-restore.ts'
import { type IngestorProcess, received, startIngestor } from '../../ingestor/support.ts'
import { temporaryDirectory } from '../../ingestor/writer/support.ts'
import { takeBucket } from '../../support/bucket.ts'
import { createTestDatabase } from '../../support/database.ts'
import { CONNECT_LIMIT_MS } from '../../support/patience.ts'

const SYMBOL_COUNT = 10
const never = new AbortController().signal
const store = createObjectStore(takeBucket())
const exchanges: ExchangeServer[] = []
const pools: Pool[] = []
afterAll(async () => {
  store.close()
  for (const exchange of exchanges) await exchange.stop()
  for (const pool of pools) await pool.end()
})

interface Recording {
  readonly exchange: ExchangeServer
  readonly url: string
  readonly tape_dir: string
  readonly start: () => IngestorProcess
}

async function record(): Promise<Recording> {
  const exchange = await startExchange({
    port: 0,
    source: { kind: 'sim', seed: 11, symbols: SYMBOL_COUNT, events_per_s: 1_500 },
  })
  exchanges.push(exchange)
  const { url } = await createTestDatabase()
  const tape_dir = join(temporaryDirectory(), 'tape')
  const start = (): IngestorProcess =>
    startIngestor({
      DATABASE_URL: url,
      TAPE_DIR: tape_dir,
      EXCHANGE_WS_URL: exchange.ws_url,
      EXCHANGE_REST_URL: exchange.url,
      CHANNELS: 'book_ticker,trades',
    })
  return { exchange, url, tape_dir, start }
}

/** A pool remembers what it learned of a schema, so each life of the database has its own. */
function open(url: string): Pool {
  const pool = createPool(url, 'test', 4, CONNECT_LIMIT_MS)
  pools.push(pool)
  return pool
}

async function backUp(url: string, kind: BackupKind): Promise<string> {
  const settings = { keep_count: 9, key_file: undefined, passphrase: undefined }
  const { id } = await runBackup({
    pool: open(url),
    store,
    settings,
    work_dir: temporaryDirectory(),
    kind,
    log: silentLogger,
    now: Date.now,
    signal: never,
  })
  return id
}

async function burnAndRestore(url: string, backup_id: string): Promise<Pool> {
  await open(url).query('drop schema marketdata cascade')
  const pool = open(url)
  await runRestore({
    pool,
    store,
    work_dir: temporaryDirectory(),
    secret: undefined,
    backup_id,
    range: undefined,
    onProgress: () => undefined,
    signal: never,
  })
  return pool
}

/** Stops the ingestor after everything that was sent has arrived. */
async function stopQuietly(exchange: ExchangeServer, ingestor: IngestorProcess): Promise<void> {
  exchange.setFaults({ faults: [{ kind: 'silence' }] })
  await exchange.settled()
  await ingestor.drain()
  ingestor.kill('SIGTERM')
  expect(await ingestor.exited).toBe(0)
}

/** Count and sum of ids per stream of quotes, as sent and as stored. */
async function quotesOf(
  exchange: ExchangeServer,
  pool: Pool,
): Promise<{ readonly sent: readonly string[]; readonly stored: readonly string[] }> {
  const sent = exchange
    .ledger()
    .streams.filter(({ stream, sent_count }) => sent_count > 0 && stream.endsWith('@bookTicker'))
    .map(({ stream, sent_count, id_sum_mod }) => `${stream} ${sent_count} ${id_sum_mod}`)
  const { rows } = await pool.query<{ line: string }>(
    `select concat_ws(' ', lower(symbol) || '@bookTicker', count(*), sum(update_id % $1) % $1) as line
     from marketdata.book_ticker join marketdata.symbols s on s.id = symbol_id group by symbol`,
    [ID_MODULUS],
  )
  return { sent: sent.toSorted(), stored: rows.map(({ line }) => line).toSorted() }
}

/** The exchange makes trades while nobody listens; each of them is stored or inside a gap. */
async function tradesBesideTheLedger(pool: Pool): Promise<readonly unknown[]> {
  const { rows } = await pool.query(`
    with pairs as (
      select symbol_id, agg_trade_id as to_id,
        lag(agg_trade_id) over (partition by symbol_id order by agg_trade_id) as from_id
      from marketdata.trades
    )
    select symbol_id, from_id, to_id from pairs p where to_id > from_id + 1 and not exists (
      select from marketdata.gaps g where g.symbol_id = p.symbol_id and g.channel = 'trades'
        and g.from_id <= p.from_id and g.to_id >= p.to_id)`)
  return rows
}

for (const kind of ['full', 'state'] as const) {
  test(`after a ${kind} backup the tape gives back what came later, each row once`, async () => {
    const { exchange, url, start } = await record()
    let ingestor = start()
    await received(ingestor, 1_500)
    const id = await backUp(url, kind)
    await received(ingestor, 1_500)
    await stopQuietly(exchange, ingestor)
    const pool = await burnAndRestore(url, id)
    exchange.setFaults({ faults: [] })
    ingestor = start()
    await received(ingestor, 1_000)
    await stopQuietly(exchange, ingestor)
    const { sent, stored } = await quotesOf(exchange, pool)
    expect(sent).toHaveLength(SYMBOL_COUNT)
    expect(stored).toEqual(sent)
    expect(await tradesBesideTheLedger(pool)).toEqual([])
  })
}

test('without its tape the ingestor goes on, and every missing trade is inside a gap', async () => {
  const { exchange, url, tape_dir, start } = await record()
  let ingestor = start()
  await received(ingestor, 1_500)
  const id = await backUp(url, 'full')
  await received(ingestor, 1_500)
  await stopQuietly(exchange, ingestor)
  const pool = await burnAndRestore(url, id)
  renameSync(tape_dir, `${tape_dir}-lost`)
  exchange.setFaults({ faults: [] })
  ingestor = start()
  await received(ingestor, 1_500)
  await stopQuietly(exchange, ingestor)
  expect(await tradesBesideTheLedger(pool)).toEqual([])
  const { rows } = await pool.query<{ channel: string; streams: number }>(
    `select channel, count(distinct symbol_id)::int as streams from marketdata.gaps
     where cause = 'restart' group by channel order by channel`,
  )
  expect(rows).toEqual([
    { channel: 'book_ticker', streams: SYMBOL_COUNT },
    { channel: 'trades', streams: expect.any(Number) },
  ])
})
