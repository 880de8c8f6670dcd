/** From the exchange's listings to marketdata.symbols and symbol_history. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import type { Pool } from '#core/node/pool.ts'
import { followToEnd } from '../../../ingestor/writer/follow-to-end.ts'
import { createTestDatabase } from '../../support/database.ts'
import { CHOICE, type Entry, quote, rest, writeTape } from './support.ts'

interface Listed {
  readonly symbol: string
  readonly status?: string
  readonly tick?: string
}

function listing(ms: number, ...symbols: readonly Listed[]): Entry {
  const body = {
    symbols: symbols.map(({ symbol, status = 'TRADING', tick = '0.10' }) => ({
      symbol,
      contractType: 'PERPETUAL',
      status,
      baseAsset: symbol.replace('USDT', ''),
      quoteAsset: 'USDT',
      filters: [
        { filterType: 'PRICE_FILTER', tickSize: tick },
        { filterType: 'LOT_SIZE', stepSize: '0.001' },
      ],
    })),
  }
  return rest(ms, '/fapi/v1/exchangeInfo', JSON.stringify(body))
}

async function follow(database_url: string, entries: readonly Entry[], ingestor_id = 'test') {
  const tape_dir = await writeTape(entries)
  const dead_letter_path = join(tape_dir, 'dead.ndjson')
  return followToEnd({
    database_url,
    ingestor_id,
    tape_dir,
    choice: CHOICE,
    dead_letter_path,
    log: silentLogger,
  })
}

async function symbolsOf(pool: Pool): Promise<readonly string[]> {
  const { rows } = await pool.query<{ line: string }>(
    `select concat_ws(' ', symbol, is_active, coalesce(tick_size::text, '-')) as line
      from marketdata.symbols order by symbol`,
  )
  return rows.map((row) => row.line)
}

/** Times are seconds since the first listing. */
async function historyOf(pool: Pool): Promise<readonly string[]> {
  const { rows } = await pool.query<{ line: string }>(
    `select concat_ws(' ', symbol, round(extract(epoch from valid_from - min(valid_from) over ())),
        h.is_active, h.tick_size) as line
      from marketdata.symbol_history h join marketdata.symbols s on s.id = h.symbol_id
      order by symbol, valid_from`,
  )
  return rows.map((row) => row.line)
}

const BTC = { symbol: 'BTCUSDT' }
const ETH = { symbol: 'ETHUSDT' }

const DAY: readonly Entry[] = [
  listing(0, BTC, ETH),
  listing(1_000, BTC, ETH),
  listing(2_000, { ...BTC, tick: '0.01' }, ETH, { symbol: 'NEWUSDT' }),
  listing(3_000, { ...BTC, tick: '0.01' }, { ...ETH, status: 'SETTLING' }, { symbol: 'NEWUSDT' }),
  listing(4_000, { ...BTC, tick: '0.01' }, ETH),
]
const HISTORY = [
  'BTCUSDT 0 t 0.1',
  'BTCUSDT 2 t 0.01',
  'ETHUSDT 0 t 0.1',
  'ETHUSDT 3 f 0.1',
  'ETHUSDT 4 t 0.1',
  'NEWUSDT 2 t 0.1',
  'NEWUSDT 4 f 0.1',
]
const SYMBOLS = ['BTCUSDT t 0.01', 'ETHUSDT t 0.1', 'NEWUSDT f 0.1']

test('a finer tick, a settlement, a return and an omitted name: one row per change', async () => {
  const { url, pool } = await createTestDatabase()
  await follow(url, DAY)
  expect(await symbolsOf(pool)).toEqual(SYMBOLS)
  expect(await historyOf(pool)).toEqual(HISTORY)
})

test('the history is the same in one batch, in five, and replayed from the beginning', async () => {
  const { url, pool } = await createTestDatabase()
  for (const [index, entry] of DAY.entries()) await follow(url, [entry], `ingestor-${index}`)
  expect(await historyOf(pool)).toEqual(HISTORY)
  await follow(url, DAY, 'replay')
  expect(await symbolsOf(pool)).toEqual(SYMBOLS)
  expect(await historyOf(pool)).toEqual(HISTORY)
})

test('a symbol with events before any listing gets its history with the first listing', async () => {
  const { url, pool } = await createTestDatabase()
  await follow(url, [quote('ETHUSDT', 1, 0), quote('OLDUSDT', 2, 0)], 'early')
  expect(await symbolsOf(pool)).toEqual(['ETHUSDT t -', 'OLDUSDT t -'])
  expect(await historyOf(pool)).toEqual([])
  await follow(url, [listing(5_000, ETH)], 'later')
  // No listing ever named OLDUSDT, so its absence means nothing.
  expect(await symbolsOf(pool)).toEqual(['ETHUSDT t 0.1', 'OLDUSDT t -'])
  expect(await historyOf(pool)).toEqual(['ETHUSDT 0 t 0.1'])
})

test('an invalid listing changes no symbol', async () => {
  const { url, pool } = await createTestDatabase()
  const counts = await follow(url, [
    listing(0, BTC),
    rest(1_000, '/fapi/v1/exchangeInfo', '{"symbols":[]}'),
    rest(2_000, '/fapi/v1/exchangeInfo', '<html>'),
  ])
  expect(counts.rejected).toEqual({ unknown_shape: 1 })
  expect(await symbolsOf(pool)).toEqual(['BTCUSDT t 0.1'])
})

test('two ingestors that read the same listing at the same time write it once', async () => {
  const { url, pool } = await createTestDatabase()
  const many = Array.from({ length: 300 }, (_, index) => ({ symbol: `C${index}USDT` }))
  const entries = [listing(0, ...many), listing(1_000, ...many.toReversed())]
  await Promise.all(['left', 'right', 'third'].map((id) => follow(url, entries, id)))
  const { rows } = await pool.query(
    'select (select count(*) from marketdata.symbols)::int as symbols, (select count(*) from marketdata.symbol_history)::int as history',
  )
  expect(rows).toEqual([{ symbols: 300, history: 300 }])
})
