/** A recording that ends at any moment has the signals that were known by then, and no other. */
import { expect, test } from 'vitest'
import { randomOf } from '../../core/signals/tape.ts'
import { BTC, depthLines, FEEDS_DIR, FIVE_COINS, SPOT } from '../../core/depth-recordings.ts'
import { type RecordedTrade, recordedTrades, tickOf } from '../../core/trade-recordings.ts'
import type { Signal } from '#core/signals/signal.ts'
import { micros } from '#core/time.ts'
import type { DepthRow } from '../../../jobs/day/depth-reader.ts'
import type { DaySymbol } from '../../../jobs/day/events.ts'
import { SymbolSignals } from '../../../jobs/signals/symbol-day.ts'

/** Another number cuts at other moments. */
const SEED = Number(process.env['CUT_SEED'] ?? 1)
const CUTS = 25

interface Recorded {
  readonly symbol: string
  /** By (ts, id). */
  readonly trades: readonly RecordedTrade[]
  /** By (ts_exchange, final_update_id). */
  readonly depth: readonly DepthRow[]
}

function recorded(folder: string): readonly Recorded[] {
  const lines = depthLines(folder)
  return [...recordedTrades(folder)].map(([symbol, trades]) => {
    const depth = lines
      .filter((line) => line.symbol === symbol)
      .flatMap((line): readonly DepthRow[] => {
        return line.kind === 'quote' ? [] : [{ ...line.change, depth_kind: line.kind }]
      })
    const order = (a: DepthRow, b: DepthRow): number =>
      a.ts_exchange - b.ts_exchange || a.final_update_id - b.final_update_id
    return { symbol, trades, depth: depth.toSorted(order) }
  })
}

/** Signals of what happened before `end`. */
async function signalsBefore(
  { symbol, trades, depth }: Recorded,
  end: number,
): Promise<readonly Signal[]> {
  const seen = trades.filter(({ ts }) => ts < end)
  const books = depth.filter(({ ts_exchange }) => ts_exchange < end)
  const first = [seen[0]?.ts, books[0]?.ts_exchange].filter((ts) => ts !== undefined)
  const of_day: DaySymbol = {
    symbol_id: 1,
    exchange: 'binance-futures',
    symbol,
    tick_size: tickOf(trades),
    first_ts: micros(Math.min(...first)),
    last_ts: micros(end),
    channels: ['trades', 'depth_events'],
    gaps: [],
  }
  const reader = {
    async *depth() {
      yield books
    },
  }
  const signals = await SymbolSignals.open(reader, of_day, new AbortController().signal)
  signals.add({
    row_count: seen.length,
    ts_exchange: Float64Array.from(seen, ({ ts }) => ts),
    agg_trade_id: Float64Array.from(seen, ({ id }) => id),
    price: Float64Array.from(seen, ({ price }) => price),
    qty: Float64Array.from(seen, ({ qty }) => qty),
    is_buyer_maker: Uint8Array.from(seen, ({ is_buyer_maker }) => Number(is_buyer_maker)),
  })
  return signals.finish(micros(end))
}

const asText = (signals: readonly Signal[]): readonly string[] =>
  signals.map((signal) => JSON.stringify(signal)).toSorted()

for (const folder of [BTC, FIVE_COINS, SPOT]) {
  test.skipIf(FEEDS_DIR === undefined)(`${folder}, cut ${CUTS} times for each symbol`, async () => {
    const random = randomOf(SEED)
    let signal_count = 0
    for (const one of recorded(folder)) {
      const [from, to] = [one.trades[0]!.ts, one.trades.at(-1)!.ts + 1]
      const all = await signalsBefore(one, to)
      signal_count += all.length
      const near = all.map(({ ts }) => ts)
      for (let i = 0; i < CUTS; i++) {
        const at = near[Math.floor(random() * near.length)]
        // Every second cut is just before, at or just after a signal.
        const cut =
          i % 2 === 0 || at === undefined
            ? Math.floor(from + random() * (to - from))
            : at + Math.floor(random() * 3) - 1
        if (cut <= from) continue
        const expected = asText(all.filter(({ ts }) => ts < cut))
        const found = await signalsBefore(one, cut)
        const label = `${one.symbol} before ${cut}, seed ${SEED}`
        expect(asText(found.filter(({ ts }) => ts < cut)), label).toEqual(expected)
        // What ends with the cut itself is known at the cut, never later.
        expect(
          found.every(({ ts }) => ts <= cut),
          label,
        ).toBe(true)
      }
    }
    expect(signal_count).toBeGreaterThan(0)
  })
}
