/** Python finds the same signals, with fractions and from the definitions alone. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { compare, decimalOf } from '#core/decimals.ts'
import { decimalText } from '#core/decimal-text.ts'
import type { Level } from '#core/market.ts'
import type { BookSample } from '#core/signals/wall-signals.ts'
import { micros, SECOND_US } from '#core/time.ts'
import { TopSampler } from '../../../jobs/topn/sampler.ts'
import { sampleOf } from '../../../jobs/signals/samples.ts'
import { BTC, depthLines, FEEDS_DIR, FIVE_COINS, SPOT } from '../depth-recordings.ts'
import { recordedTrades, tickOf } from '../trade-recordings.ts'
import { signalsUntil, signalTape, type SignalTape } from './tape.ts'

const PROGRAM = fileURLToPath(new URL('signals.py', import.meta.url))
const has_python = spawnSync('python3', ['--version']).status === 0

const text = (value: number): string => decimalText(value, null)
const levels = (of_side: readonly Level[]): unknown => of_side.map((level) => level.map(text))

function inPython({ tick_size, gaps, trades, samples }: SignalTape): readonly string[] {
  const input = {
    tick: text(tick_size),
    gaps: gaps.map(({ from_ts, to_ts }) => [from_ts, Number.isFinite(to_ts) ? to_ts : null]),
    trades: trades.map(({ ts, price, qty, is_buyer_maker, id }) => {
      return [ts, text(price), text(qty), is_buyer_maker, id]
    }),
    samples: samples.map(({ ts, bids, asks }) => [ts, levels(bids), levels(asks)]),
  }
  const ran = spawnSync('python3', [PROGRAM], {
    input: JSON.stringify(input),
    maxBuffer: 1 << 28,
    encoding: 'utf8',
  })
  expect(ran.stderr).toBe('')
  return (JSON.parse(ran.stdout) as readonly unknown[][]).map(keyOf).toSorted()
}

/** Text of a row; details by name. */
function keyOf(row: readonly unknown[]): string {
  const details = row.at(-1) as Readonly<Record<string, number>>
  const sorted = Object.entries(details).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify([...row.slice(0, -1), sorted])
}

function here(tape: SignalTape): readonly string[] {
  const rows = signalsUntil(tape, Infinity).map((signal) => {
    const { kind, interval_s, bar_ts, side, price_low, price_high, strength, details } = signal
    const ts = 'ts' in signal ? signal.ts : null
    return keyOf([ts, kind, interval_s, bar_ts, side, price_low, price_high, strength, details])
  })
  return rows.toSorted()
}

const seeds = (process.env['SIGNAL_SEEDS'] ?? '3,4,11,17').split(',').map(Number)
for (const seed of seeds) {
  test.skipIf(!has_python)(
    `a random tape, seed ${seed}: the same rows in Python (needs python3)`,
    () => {
      const minutes = 70 + (seed % 3) * 30
      const tape = signalTape(seed, '2026-11-20T23:10:00Z', minutes)
      const expected = inPython(tape)
      expect(expected.length).toBeGreaterThan(100)
      expect(here(tape)).toEqual(expected)
    },
  )
}

function recordedSamples(folder: string, symbol: string): readonly BookSample[] {
  const lines = depthLines(folder).filter((line) => line.symbol === symbol)
  const changes = (kind: string) =>
    lines.flatMap((line) => (line.kind === kind && 'change' in line ? [line.change] : []))
  const sampler = new TopSampler({ min_us: SECOND_US, max_us: SECOND_US }, micros(0))
  sampler.addSnapshots(changes('snapshot'))
  const rows = changes('diff').flatMap((diff) => sampler.take(diff))
  return rows.map(({ ts_exchange, values }) => sampleOf(ts_exchange, values))
}

for (const folder of [BTC, FIVE_COINS, SPOT]) {
  test.skipIf(!has_python || FEEDS_DIR === undefined)(
    `the recording ${folder}: the same rows in Python (needs python3 and FEEDS_DIR)`,
    () => {
      let row_count = 0
      for (const [symbol, trades] of recordedTrades(folder)) {
        const samples = recordedSamples(folder, symbol)
        const [from, to] = [trades[0]!.ts, trades.at(-1)!.ts]
        const tape = { from, to, tick_size: tickOf(trades), trades, samples, gaps: [] }
        const expected = inPython(tape)
        expect(here(tape), symbol).toEqual(expected)
        row_count += expected.length
      }
      expect(row_count).toBeGreaterThan(0)
    },
  )
}

test('a text that Python reads is the decimal that is computed with', () => {
  for (const value of [0.1, 61_690.5, 1e-8, 123_456_789.125]) {
    expect(compare(decimalOf(Number(text(value))), decimalOf(value))).toBe(0)
  }
})
