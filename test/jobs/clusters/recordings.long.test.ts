/**
 * Footprint bars of recorded trades against the oracle in Python: stored minutes and the newest
 * ones, late trades, a gap that is refilled, and the archive. FEEDS_DIR has the recordings.
 */
import { describe, expect, test } from 'vitest'
import type { Interval } from '#core/clusters/intervals.ts'
import type { ClusterRow } from '#core/clusters/row.ts'
import { decimalOf, nearest, plus, ZERO } from '#core/decimals.ts'
import { silentLogger } from '#core/node/log.ts'
import { HOUR_US, hourStart, micros, toIso } from '#core/time.ts'
import { runRollups } from '../../../jobs/rollups/run-rollups.ts'
import type { ClusterEngine } from '../../../jobs/clusters/engine.ts'
import {
  type RecordedTrade,
  recordedTrades,
  recordingsWithTrades,
  stepOf,
  tickOf,
} from '../../core/trade-recordings.ts'
import { FEEDS_DIR } from '../../core/depth-recordings.ts'
import { randomOf } from '../../core/signals/tape.ts'
import { insertTrades, type TradeRow } from '../market.ts'
import { asOracle, NO_PYTHON, oracleBars } from './oracle.ts'
import { addSymbol, addTrades, allBars, createStand, raiseThreshold } from './stand.ts'

const MINUTE_US = 60_000_000
/**
 * A recording is repeated until it is this long, so that automatic bins have a past; but not beyond
 * this many trades, so that Python's fractions take seconds.
 */
const REPEATED = { minutes: 75, trades: 40_000 }

/** Chooses the gap and the trades that come late. */
const SEED = Number(process.env['LATE_SEED'] ?? 1)
/** `5m:250,1h:auto`: instead of the choices below. */
const NAMED = process.env['CLUSTER_CHOICES']?.split(',').map((text) => {
  const [interval, bin] = text.split(':')
  return [interval as Interval, bin === 'auto' ? bin : Number(bin)] as const
})
const CHOICES =
  NAMED ??
  ([
    ['1m', 1],
    ['1m', 7],
    ['1m', 'auto'],
    ['5m', 25],
    ['5m', 'auto'],
    ['15m', 3],
    ['1h', 100],
    ['4h', 1_000],
    ['1d', 10],
  ] as const)
const third = (of: number) => CHOICES.filter((_, i) => i % 3 === of)

interface Recorded {
  readonly symbol: string
  readonly tick_size: number
  readonly trades: readonly TradeRow[]
}

function repeated(symbol: string, once: readonly RecordedTrade[]): readonly TradeRow[] {
  const [first, last] = [once[0]!.ts, once.at(-1)!.ts]
  const span = Math.ceil((last - first + 1) / MINUTE_US) * MINUTE_US
  const ids = once.reduce((most, { id }) => Math.max(most, id), 0) + 1
  const wanted = Math.ceil((REPEATED.minutes * MINUTE_US) / span)
  const times = Math.max(1, Math.min(wanted, Math.floor(REPEATED.trades / once.length)))
  return Array.from({ length: times }, (_, i) =>
    once.map((trade): TradeRow => {
      return { ...trade, symbol, ts: trade.ts + i * span, id: trade.id + i * ids }
    }),
  ).flat()
}

function compare(
  rows: readonly ClusterRow[],
  { symbol, tick_size }: Recorded,
  trades: readonly TradeRow[],
  interval: Interval,
  bin: number | 'auto',
): void {
  const wanted = oracleBars({ trades, tick_size, interval, bin })
  const label = `${symbol} ${interval} ${bin}`
  expect(rows.length, label).toBe(wanted.length)
  expect(rows.map(asOracle), label).toEqual(wanted)
}

describe.skipIf(NO_PYTHON !== undefined)('against the oracle in Python (needs python3)', () => {
  const folders = recordingsWithTrades()
  test.skipIf(FEEDS_DIR === undefined)('FEEDS_DIR has recordings of trades', () => {
    expect(folders).not.toEqual([])
  })
  for (const folder of folders) {
    test(`the recording ${folder}`, async () => {
      for (const [symbol, once] of recordedTrades(folder)) {
        const stand = await createStand()
        const { pool } = stand
        const one = { symbol, tick_size: tickOf(once), trades: repeated(symbol, once) }
        const { trades, tick_size } = one
        const qty_step = stepOf(once.map(({ qty }) => qty))
        await addSymbol(pool, symbol, tick_size, qty_step)
        const [from, end] = [trades[0]!.ts, trades.at(-1)!.ts + 1]
        const range = { symbol, from: micros(from - (from % 86_400_000_000)), to: micros(end) }
        const engine = stand.startEngine()
        const check = async (
          of: ClusterEngine,
          expected: readonly TradeRow[],
          choices: readonly (typeof CHOICES)[number][],
        ): Promise<void> => {
          for (const [interval, bin] of choices) {
            compare(await allBars(of, { ...range, interval, bin }), one, expected, interval, bin)
          }
        }
        // A gap, and some trades come late.
        const random = randomOf(SEED)
        const at = (part: number): number => from + Math.floor(part * (end - from))
        const begin = 0.1 + 0.6 * random()
        const gap = { from: at(begin), to: at(begin + 0.1) }
        const isInGap = ({ ts }: TradeRow): boolean => ts >= gap.from && ts < gap.to
        const in_gap = trades.filter(isInGap)
        const late = trades.filter((trade) => !isInGap(trade) && random() < 0.03)
        const missing = new Set([...in_gap, ...late])
        const first = trades.filter((trade) => !missing.has(trade))
        await insertTrades(pool, first)
        await check(engine, first, CHOICES)
        const final_to = at(0.9)
        await raiseThreshold(pool, final_to)
        await check(engine, first, CHOICES)
        const final_minutes = Math.floor(final_to / MINUTE_US) - Math.floor(from / MINUTE_US)
        expect(engine.sync.counts.minutes).toBeGreaterThanOrEqual(final_minutes)
        await addTrades(pool, late)
        await check(engine, [...first, ...late], third(2))
        // The gap is refilled.
        await addTrades(pool, in_gap)
        await check(engine, trades, CHOICES)
        await compareWithCandles(stand, engine, one, range)
        // Everything again, from the archive.
        for (let hour = hourStart(micros(from)); hour < end; hour = micros(hour + HOUR_US)) {
          if (hour + HOUR_US <= final_to) await stand.archiveAndDrop(hour)
        }
        await pool.query('truncate marketdata.clusters')
        await check(stand.startEngine(), trades, third(0))
      }
    })
  }
})

/** Sums over the cells are the volumes of the candles, exactly. */
async function compareWithCandles(
  { pool }: Awaited<ReturnType<typeof createStand>>,
  engine: ClusterEngine,
  { symbol }: Recorded,
  range: { readonly from: number; readonly to: number },
): Promise<void> {
  const { signal } = new AbortController()
  const now = (): number => (range.to + 2 * HOUR_US) / 1_000
  await runRollups({ pool, log: silentLogger, now, signal })
  for (const [interval, seconds] of [
    ['1m', 60],
    ['5m', 300],
    ['1h', 3_600],
  ] as const) {
    const { rows: candles } = await pool.query<{ volume: number; buy_volume: number }>(
      `select c.volume, c.buy_volume from marketdata.symbols s,
         lateral marketdata.candles(s.id, $2, $3, $4, 10000) c where s.symbol = $1`,
      [symbol, seconds, toIso(micros(range.from)), toIso(micros(range.to))],
    )
    expect(candles.length).toBeGreaterThan(0)
    for (const bin of [1, 13, 'auto'] as const) {
      const asked = { symbol, from: micros(range.from), to: micros(range.to), interval, bin }
      const sums = (await allBars(engine, asked)).map(({ cells }) => {
        const of = (place: 1 | 2) =>
          cells.reduce((sum, cell) => plus(sum, decimalOf(Number(cell[place]))), ZERO)
        return { volume: nearest(plus(of(1), of(2))), buy_volume: nearest(of(1)) }
      })
      expect(sums, `${symbol} ${interval} ${bin}`).toEqual(candles)
    }
  }
}
