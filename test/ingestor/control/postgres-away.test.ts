/** Steering does not need Postgres: it is changed while it is away, and told of it later. */
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { migrate } from '#core/node/migrate.ts'
import { createPool } from '#core/node/pool.ts'
import { startExchange } from '../../../infra/exchange/server.ts'
import { freePort } from '../../../infra/local/ports.ts'
import { startPostgres } from '../../../infra/local/postgres.ts'
import { startIngestor, until } from '../support.ts'
import { temporaryDirectory } from '../writer/support.ts'
import { type Answer, ask } from './support.ts'

const SYMBOLS = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT', 'XRPUSDT']
const folder = temporaryDirectory()
chmodSync(folder, 0o755)
const settings = { dir: join(folder, 'postgres'), port: await freePort(), password: 'test' }
let postgres = await startPostgres(settings)
const pool = createPool(postgres.url, 'test', 1)
const exchange = await startExchange({
  port: 0,
  source: { kind: 'sim', seed: 2, symbols: SYMBOLS, events_per_s: 300 },
})
afterAll(async () => {
  await pool.end()
  await exchange.stop()
  await postgres.stop()
})

test('with Postgres away symbols come and go, over a kill -9 too; afterwards the database has every change once', async () => {
  await migrate(pool)
  const dir = join(folder, 'tape')
  const env = {
    DATABASE_URL: postgres.url,
    TAPE_DIR: dir,
    EXCHANGE_WS_URL: exchange.ws_url,
    EXCHANGE_REST_URL: exchange.url,
    SYMBOLS: 'BTCUSDT,ETHUSDT',
    CHANNELS: 'book_ticker,depth_events',
    DEPTH_SYMBOLS: 'BTCUSDT,ETHUSDT',
  }
  let ingestor = startIngestor(env)
  await ingestor.ready
  const call = (path: string, method = 'GET', body?: unknown): Promise<Answer> =>
    ask(join(dir, 'control.sock'), path, { method, body })
  const heard = (count: number): Promise<void> =>
    until(
      `${count} streams are heard`,
      async () => (await call('/status')).body.actual.streams_heard === count,
    )
  expect((await call('/symbols', 'PUT', { add: ['SOLUSDT'] })).status).toBe(200)
  await heard(5)
  await postgres.stop()
  await until('it is away', async () => (await call('/status')).body.state === 'database_away')
  expect((await call('/symbols', 'PUT', { remove: ['ETHUSDT'] })).status).toBe(200)
  await heard(3)
  // It starts without the book that its environment names, too.
  ingestor.kill('SIGKILL')
  await ingestor.exited
  ingestor = startIngestor(env)
  await until(
    'it is there again',
    async () => (await call('/status').catch(() => undefined))?.status === 200,
  )
  await heard(3)
  expect((await call('/scale', 'POST', { count: 4 })).status).toBe(200)
  await heard(6)
  await until('ETH has spoken', async () =>
    (await call('/streams?symbol=ETHUSDT')).body.streams.every(
      (one: { frame_count: number }) => one.frame_count > 0,
    ),
  )
  expect((await call('/symbols', 'PUT', { symbols: ['BTCUSDT', 'XRPUSDT'] })).status).toBe(200)
  expect((await call('/status')).body).toMatchObject({
    state: 'database_away',
    desired: { revision: 4 },
  })
  await heard(3)
  postgres = await startPostgres(settings)
  const stored = async () =>
    (
      await pool
        .query<{ revision: number; action: string }>(
          'select revision, action from marketdata.audit order by 1',
        )
        .catch(() => ({ rows: [] }))
    ).rows
  await until('every change is told', async () => (await stored()).length === 4)
  expect(await stored()).toEqual([
    { revision: 1, action: 'symbols' },
    { revision: 2, action: 'symbols' },
    { revision: 3, action: 'scale' },
    { revision: 4, action: 'symbols' },
  ])
  await ingestor.drain()
  const { rows } = await pool.query<{ line: string }>(`
    select concat_ws(' ', symbol, channel, cause, case when to_ts is null then 'open' else 'ended' end) as line
    from marketdata.gap_ledger g join marketdata.symbols s on s.id = g.symbol_id order by 1`)
  const operator = rows.map(({ line }) => line).filter((line) => line.includes('operator'))
  // ETH was left out twice: between the second and the third change, and since the fourth.
  expect(operator).toEqual([
    'ETHUSDT book_ticker operator ended',
    'ETHUSDT book_ticker operator open',
    'ETHUSDT depth_events operator ended',
    'ETHUSDT depth_events operator open',
    'SOLUSDT book_ticker operator open',
  ])
  ingestor.kill('SIGTERM')
  expect(await ingestor.exited).toBe(0)
})
