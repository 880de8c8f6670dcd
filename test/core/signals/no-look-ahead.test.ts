/** Cutting a tape at any moment changes no signal before the cut; runs may be cut anywhere. */
import { expect, test } from 'vitest'
import { RUN_UP_US, TradeSignals } from '#core/signals/trade-signals.ts'
import { SIGNAL_KINDS } from '#core/signals/signal.ts'
import { WALL_RUN_UP_US, WallSignals } from '#core/signals/wall-signals.ts'
import { DAY_US, micros } from '#core/time.ts'
import { is_long } from '../../support/long.ts'
import { randomOf, signalsUntil, signalTape } from './tape.ts'

const TAPES = [
  [1, '2026-11-20T09:00:00Z', 150],
  [2, '2026-11-20T22:40:00Z', 150],
  [3, '2026-11-21T00:00:00Z', 130],
  [4, '2026-11-20T13:17:23Z', 120],
] as const
/** At random moments, and at signals. */
const CUTS = is_long ? { random: 12, near: 8 } : { random: 3, near: 3 }

const tapes = new Map(
  TAPES.map(([seed, from, minutes]) => {
    const tape = signalTape(seed, from, minutes)
    return [seed, { tape, all: signalsUntil(tape, Infinity) }]
  }),
)

const timeOf = (signal: { readonly ts?: number; readonly bar_ts: number | null }): number =>
  signal.ts ?? signal.bar_ts!

for (const [seed, { tape, all }] of tapes) {
  test(`tape ${seed}: a cut at any moment changes no signal before it`, () => {
    const random = randomOf(seed + 100)
    const ends = all.map((signal) => timeOf(signal))
    const cuts = [
      ...Array.from({ length: CUTS.random }, () => tape.from + random() * (tape.to - tape.from)),
      // Just before, at, and just after a signal.
      ...Array.from({ length: CUTS.near }, () => {
        return ends[Math.floor(random() * ends.length)]! + Math.floor(random() * 3) - 1
      }),
    ]
    for (const cut of cuts.map(Math.floor)) {
      const isBefore = (signal: (typeof all)[number]): boolean => timeOf(signal) < cut
      expect(signalsUntil(tape, cut).filter(isBefore)).toEqual(all.filter(isBefore))
    }
  })
}

test('the tapes show every kind, of bars of both lengths', () => {
  const found = [...tapes.values()].flatMap(({ all }) => all)
  const names = new Set(found.map(({ kind, interval_s }) => `${kind} ${interval_s}`))
  for (const kind of SIGNAL_KINDS) {
    const is_of_trade = kind === 'large_trade' || kind.startsWith('wall')
    for (const interval_s of is_of_trade ? [null] : [60, 300]) {
      expect(names).toContain(`${kind} ${interval_s}`)
    }
  }
  for (const { price_low, price_high, strength } of found) {
    expect(price_low).toBeLessThanOrEqual(price_high)
    expect(strength).toBeGreaterThan(0)
  }
})

test('a run that begins the run-up before a time finds the same signals from there on', () => {
  for (const [seed, { tape, all }] of tapes) {
    const random = randomOf(seed + 200)
    for (let i = 0; i < 3; i++) {
      // A run begins at a whole bar, as the job's watermark does.
      const at = tape.from + random() * (tape.to - tape.from)
      const begin = at - (at % 300e6)
      const trades = new TradeSignals(tape.tick_size, tape.gaps)
      for (const trade of tape.trades) {
        if (trade.ts < begin - RUN_UP_US) continue
        trades.add(trade.ts, trade.price, trade.qty, trade.is_buyer_maker, trade.id)
      }
      trades.advance(micros(1e18))
      const of_trades = all.filter((signal) => 'ts' in signal && signal.ts > begin)
      expect(trades.take().filter(({ ts }) => ts > begin)).toEqual(of_trades)
      const walls = new WallSignals(tape.gaps)
      let next = tape.trades.findIndex(({ ts }) => ts > begin - WALL_RUN_UP_US)
      const drafts = tape.samples
        .filter(({ ts }) => ts >= begin - WALL_RUN_UP_US)
        .flatMap((sample) => {
          for (; (tape.trades[next]?.ts ?? Infinity) <= sample.ts; next++) {
            const { price, qty, is_buyer_maker } = tape.trades[next]!
            walls.addTrade(price, qty, is_buyer_maker)
          }
          return walls.add(sample)
        })
      const isLate = ({ bar_ts }: { readonly bar_ts: number | null }): boolean => bar_ts! >= begin
      const of_walls = all.filter((signal) => !('ts' in signal))
      expect(drafts.filter(isLate)).toEqual(of_walls.filter(isLate))
    }
  }
})

test('a day begins anew: nothing before midnight changes a signal after it', () => {
  const { tape, all } = tapes.get(2)!
  const midnight = Math.ceil(tape.from / DAY_US) * DAY_US
  const isNew = (signal: { readonly ts?: number; readonly bar_ts: number | null }): boolean =>
    (signal.bar_ts ?? signal.ts!) >= midnight
  const fresh = {
    ...tape,
    trades: tape.trades.filter(({ ts }) => ts >= midnight),
    samples: tape.samples.filter(({ ts }) => ts >= midnight),
  }
  const expected = all.filter(isNew)
  expect(expected.length).toBeGreaterThan(20)
  expect(signalsUntil(fresh, Infinity)).toEqual(expected)
})

test('no signal looks across a gap, and none comes from a bar that it touches', () => {
  const { tape, all } = tapes.get(3)!
  const [gap] = tape.gaps
  const after = all.filter((signal) => (signal.bar_ts ?? timeOf(signal)) > gap!.to_ts)
  const fresh = { ...tape, trades: tape.trades.filter(({ ts }) => ts > gap!.to_ts) }
  const bars = (signals: readonly (typeof after)[number][]): typeof after =>
    signals.filter(({ interval_s }) => interval_s !== null)
  const first = after.find(({ interval_s }) => interval_s === 300)
  expect(first).toBeDefined()
  expect(bars(signalsUntil({ ...fresh, gaps: [gap!] }, Infinity))).toEqual(bars(after))
  const touched = all.filter(({ interval_s, bar_ts }) => {
    if (interval_s === null) return false
    return bar_ts! <= gap!.to_ts && bar_ts! + interval_s * 1e6 > gap!.from_ts
  })
  expect(touched).toEqual([])
})
