/** Streams that the exchange refuses: their gaps, and what happens once it accepts them. */
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { startExchange } from '../../infra/exchange/server.ts'
import { createTestDatabase } from '../support/database.ts'
import { ask } from './control/support.ts'
import { startIngestor, until } from './support.ts'
import { temporaryDirectory } from './writer/support.ts'

/** It is asked for again after one minute. */
const AGAIN_MS = 60_000

const exchange = await startExchange({
  port: 0,
  source: { kind: 'sim', seed: 5, symbols: ['BTCUSDT', 'ETHUSDT'], events_per_s: 400 },
})
afterAll(() => exchange.stop())

test('refused streams are recorded once the exchange accepts them, on the same sockets', async () => {
  const { pool, url } = await createTestDatabase()
  const dir = join(temporaryDirectory(), 'tape')
  exchange.setFaults({ faults: [{ kind: 'refuse_streams', streams: 'ethusdt@*' }] })
  const ingestor = startIngestor({
    DATABASE_URL: url,
    TAPE_DIR: dir,
    EXCHANGE_WS_URL: exchange.ws_url,
    EXCHANGE_REST_URL: exchange.url,
    SYMBOLS: 'BTCUSDT,ETHUSDT',
    CHANNELS: 'book_ticker,trades,depth_events',
    DEPTH_SYMBOLS: 'all',
  })
  await ingestor.ready
  const status = async () => (await ask(join(dir, 'control.sock'), '/status')).body
  const gaps = async () =>
    (
      await pool.query<{ line: string; wide_s: number | null }>(
        `select concat_ws(' ', symbol, channel, cause,
           case when to_ts is null then 'open' else 'ended' end) as line,
           extract(epoch from to_ts - from_ts)::float8 as wide_s
         from marketdata.gap_ledger g join marketdata.symbols s on s.id = g.symbol_id order by 1`,
      )
    ).rows
  const lines = async () => (await gaps()).map(({ line }) => line)
  const names = ['book_ticker', 'depth_events', 'trades'].map((name) => `ETHUSDT ${name} refused`)
  await until('the gaps are open', async () => (await lines()).length === 3)
  expect(await lines()).toEqual(names.map((name) => `${name} open`))
  expect((await status()).actual).toMatchObject({ streams_refused: 3, streams_heard: 3 })
  const connections = async () =>
    (await status()).sockets.map(({ connection }: { connection: number }) => connection)
  const before = await connections()
  exchange.setFaults({ faults: [] })
  await until(
    'they are heard',
    async () => (await status()).actual.streams_heard === 6,
    2 * AGAIN_MS,
  )
  await until('both books are in sequence', async () => (await status()).books.in_sequence === 2)
  await until('the gaps end', async () => (await lines()).every((line) => line.endsWith('ended')))
  expect(await lines()).toEqual(names.map((name) => `${name} ended`))
  for (const { wide_s } of await gaps()) expect(wide_s).toBeLessThan(2 * (AGAIN_MS / 1_000))
  expect((await status()).actual.streams_refused).toBe(0)
  expect(await connections()).toEqual(before)
})
