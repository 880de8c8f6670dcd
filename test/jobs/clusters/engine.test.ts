/** The cluster engine against an independent computation, over late trades and the archive. */
import { beforeAll, describe, expect, test } from 'vitest'
import { HOUR_US, micros } from '#core/time.ts'
import type { ClusterEngine } from '../../../jobs/clusters/engine.ts'
import { is_long } from '../../support/long.ts'
import { insertTrades, type TradeRow } from '../market.ts'
import { asOracle, NO_PYTHON, oracleBars } from './oracle.ts'
import {
  addSymbol,
  addTrades,
  allBars,
  createStand,
  raiseThreshold,
  randomTrades,
} from './stand.ts'

const SYMBOL = 'BTCUSDT'
const FROM = Date.parse('2024-08-08T20:00:00Z') * 1_000
const MINUTES = 330
const TO = FROM + MINUTES * 60_000_000

const stand = await createStand()
const { pool } = stand
let engine: ClusterEngine
let trades: readonly TradeRow[]

beforeAll(async () => {
  await addSymbol(pool, SYMBOL, 0.1, 0.001)
  const all = randomTrades({
    symbol: SYMBOL,
    from: FROM,
    minutes: MINUTES,
    per_minute: is_long ? 12 : 5,
    seed: 7,
  })
  // A quiet stretch, and a gap over the turn of an hour.
  trades = all.filter(({ ts }) => {
    const minute = (ts - FROM) / 60_000_000
    return !(minute > 50 && minute < 75) && !(minute > 100 && minute < 103)
  })
  await insertTrades(pool, trades)
  engine = stand.startEngine()
})

const range = { symbol: SYMBOL, from: micros(FROM), to: micros(TO + HOUR_US) }

const ALL = [
  ['1m', 1],
  ['1m', 'auto'],
  ['5m', 25],
  ['5m', 'auto'],
  ['15m', 10],
  ['1h', 7],
  ['4h', 100],
  ['1d', 1_000],
] as const
const SOME = is_long ? [ALL[1], ALL[3], ALL[5]] : [ALL[3], ALL[5]]
/** Bars of SOME, at least. */
const SOME_COUNT = is_long ? 300 : 60

/** Throws where a bar differs. Returns the number of bars. */
async function compare(
  of: ClusterEngine,
  expected: readonly TradeRow[],
  choices: readonly (typeof ALL)[number][] = SOME,
): Promise<number> {
  let count = 0
  for (const [interval, bin] of choices) {
    const rows = await allBars(of, { ...range, interval, bin })
    const wanted = oracleBars({ trades: expected, tick_size: 0.1, interval, bin })
    // The oracle has the day's bars, of which one begins before the range.
    const inside = wanted.filter(({ ts }) => (ts as number) >= FROM)
    expect(rows.length, `${interval} ${bin}`).toBe(inside.length)
    expect(rows.map(asOracle), `${interval} ${bin}`).toEqual(inside)
    count += rows.length
  }
  return count
}

describe.skipIf(NO_PYTHON !== undefined)('against the oracle in Python', () => {
  test('bars of all minutes, before anything is final', async () => {
    expect(await compare(engine, trades, ALL)).toBeGreaterThan(500)
    expect(engine.sync.counts.hours).toBe(0)
  })

  test('bars of stored minutes, and of the newest ones', async () => {
    await raiseThreshold(pool, FROM + 290.5 * 60_000_000)
    expect(await compare(engine, trades, ALL)).toBeGreaterThan(500)
    expect(engine.sync.counts).toEqual({ hours: 5, minutes: 290 })
    const [first] = await allBars(engine, { ...range, interval: '1h', bin: 'auto' })
    expect(first!.is_final).toBe(true)
    const last = (await allBars(engine, { ...range, interval: '1h', bin: 'auto' })).at(-1)
    expect(last!.is_final).toBe(false)
  })

  test('late trades change the bars of their minutes, and the running delta after them', async () => {
    const late = [12, 12.4, 60, 130, 289].map((minute, i): TradeRow => {
      const ts = FROM + minute * 60_000_000 + i
      const qty = Number((0.111 * (i + 1)).toFixed(3))
      return {
        symbol: SYMBOL,
        ts,
        id: 1_000_000 + i,
        price: 61_700.3,
        qty,
        is_buyer_maker: i === 1,
      }
    })
    await addTrades(pool, late)
    trades = [...trades, ...late]
    expect(await compare(engine, trades)).toBeGreaterThan(SOME_COUNT)
    const { rows } = await pool.query(
      `select count(*)::int as n from marketdata.invalidations where consumer = 'clusters'`,
    )
    expect(rows).toEqual([{ n: 0 }])
  })

  test('the same bars from the archive, and after late trades of a dropped hour', async () => {
    for (const hour of [0, 1]) {
      await stand.archiveAndDrop(micros(FROM + hour * HOUR_US))
    }
    await pool.query('truncate marketdata.clusters')
    const cold = stand.startEngine()
    expect(await compare(cold, trades)).toBeGreaterThan(SOME_COUNT)
    const late: TradeRow = {
      symbol: SYMBOL,
      ts: FROM + 70 * 60_000_000,
      id: 2_000_000,
      price: 61_650.7,
      qty: 0.25,
      is_buyer_maker: true,
    }
    await addTrades(pool, [late])
    trades = [...trades, late]
    expect(await compare(cold, trades)).toBeGreaterThan(SOME_COUNT)
    expect(await compare(engine, trades)).toBeGreaterThan(SOME_COUNT)
    // The archive's next version has the late trade.
    await stand.archiveAndDrop(micros(FROM + HOUR_US))
    await pool.query('truncate marketdata.clusters')
    expect(await compare(stand.startEngine(), trades)).toBeGreaterThan(SOME_COUNT)
  })
})
