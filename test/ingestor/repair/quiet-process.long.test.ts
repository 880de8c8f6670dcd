/**
 * A whole ingestor that loses its sockets, misses trades, and returns to a market without trades.
 */
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { startExchange } from '../../../infra/exchange/server.ts'
import type { AggTradeRow } from '../../../infra/exchange/source.ts'
import { createTestDatabase } from '../../support/database.ts'
import { missed, received, startIngestor, until } from '../support.ts'
import { temporaryDirectory } from '../writer/support.ts'

const SYMBOLS = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT']

test("no gap stays open: the exchange's history ends each, and the missed trades are stored", async () => {
  const source = { kind: 'sim', seed: 11, symbols: SYMBOLS, events_per_s: 300 } as const
  const exchange = await startExchange({ port: 0, source })
  afterAll(() => exchange.stop())
  const { url, pool } = await createTestDatabase()
  const ingestor = startIngestor({
    DATABASE_URL: url,
    TAPE_DIR: join(temporaryDirectory(), 'tape'),
    CHANNELS: 'trades',
    EXCHANGE_WS_URL: exchange.ws_url,
    EXCHANGE_REST_URL: exchange.url,
  })
  await ingestor.ready
  await received(ingestor, 200)
  const all_missed = missed(
    exchange,
    SYMBOLS.map((symbol) => `${symbol.toLowerCase()}@aggTrade`),
  )
  exchange.setFaults({ faults: [{ kind: 'refuse' }], actions: [{ kind: 'close_all' }] })
  await all_missed
  exchange.setFaults({ faults: [], actions: [{ kind: 'halt' }] })
  await until('the gaps are seen', () => ingestor.status()?.lost_streams === SYMBOLS.length)
  await until('no gap is open', () => ingestor.status()?.lost_streams === 0)
  const openGaps = async (): Promise<number> =>
    (
      await pool.query(
        'select from marketdata.gap_ledger where to_ts is null or repaired_at is null',
      )
    ).rowCount!
  await until('every row is closed', async () => (await openGaps()) === 0)
  for (const symbol of SYMBOLS) {
    const path = `/fapi/v1/aggTrades?symbol=${symbol}&limit=1000`
    const made = (await (await fetch(exchange.url + path)).json()) as AggTradeRow[]
    const { rows } = await pool.query<{ id: number }>(
      `select agg_trade_id::float8 as id from marketdata.trades t
        join marketdata.symbols s on s.id = t.symbol_id where symbol = $1 order by 1`,
      [symbol],
    )
    const first_id = rows[0]!.id
    expect(
      rows.map(({ id }) => id),
      symbol,
    ).toEqual(made.map(({ a }) => a).filter((id) => id >= first_id))
  }
  ingestor.kill('SIGTERM')
  expect(await ingestor.exited).toBe(0)
})
