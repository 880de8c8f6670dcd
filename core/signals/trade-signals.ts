/**
 * Signals of one symbol's trades: of its bars of every length, and of single large trades. The same
 * trades give the same signals, however they are cut into calls. Pure.
 */
import { type Bar, joinBars, volumeOf } from '../clusters/bar.ts'
import { TradeFold } from '../clusters/fold-trades.ts'
import { compare, type Decimal, decimalOf, plus, quotient, times, ZERO } from '../decimals.ts'
import { type Micros, micros, SECOND_US } from '../time.ts'
import { BarSignals } from './bar-signals.ts'
import { LARGE_TRADE, LOOKBACK_BARS, LOOKBACK_BARS_MIN, SIGNALS_VERSION } from './parameters.ts'
import { detailsOf, type Signal, SIGNAL_INTERVALS_S } from './signal.ts'
import { type BlindSpan, BlindSpans, Lookback } from './window.ts'

const MINUTE_S = 60
const MINUTE_US = MINUTE_S * SECOND_US
/** A signal depends on trades from at most this long before its own bar or minute. */
export const RUN_UP_US = LOOKBACK_BARS * Math.max(...SIGNAL_INTERVALS_S) * SECOND_US

interface PastMinute {
  readonly ts: Micros
  readonly volume: Decimal
  readonly trade_count: number
}

/** The size from which on a trade is large. */
interface Threshold {
  /** Start of the minute that it is for. */
  readonly minute: Micros
  /** Undefined: too little is known. */
  readonly mean: { readonly volume: Decimal; readonly trade_count: number } | undefined
  /** A trade of less is certainly not large. */
  readonly qty_min: number
  readonly blind_until: number
}

export class TradeSignals {
  readonly #gaps: BlindSpans
  readonly #minutes = new TradeFold(MINUTE_US)
  readonly #bars: readonly {
    readonly interval_us: number
    readonly signals: BarSignals
    /** Finished minutes of the open bar. */
    parts: Bar[]
  }[]
  readonly #past = new Lookback<PastMinute>(LOOKBACK_BARS * MINUTE_US)
  #minute: Micros | undefined
  #threshold: Threshold | undefined
  #found: Signal[] = []

  /**
   * `gaps`: spans in which trades are missing. Without a tick size bars have no bins, and give no
   * signals.
   */
  constructor(tick_size: number | null, gaps: readonly BlindSpan[]) {
    this.#gaps = new BlindSpans(gaps)
    const intervals = tick_size === null ? [] : SIGNAL_INTERVALS_S
    this.#bars = intervals.map((interval_s) => ({
      interval_us: interval_s * SECOND_US,
      signals: new BarSignals(interval_s, tick_size!),
      parts: [],
    }))
  }

  /** Takes the next trade by (ts_exchange, id). */
  add(ts: Micros, price: number, qty: number, is_buyer_maker: boolean, trade_id: number): void {
    const minute = micros(ts - (ts % MINUTE_US))
    if (minute !== this.#minute) {
      this.advance(ts)
      this.#minute = minute
    }
    this.#findLarge(ts, price, qty, is_buyer_maker, trade_id)
    this.#minutes.add(ts, price, qty, is_buyer_maker)
  }

  /** No trade before `to` will follow, so bars that end by then are finished. */
  advance(to: Micros): void {
    if (this.#minute !== undefined && this.#minute + MINUTE_US <= to) {
      this.#minute = undefined
      for (const minute of this.#minutes.take()) this.#addMinute(minute)
    }
    for (const bars of this.#bars) {
      const first = bars.parts[0]
      if (first === undefined) continue
      const ts = micros(first.ts - (first.ts % bars.interval_us))
      if (ts + bars.interval_us > to) continue
      this.#found.push(...bars.signals.add(joinBars(ts, bars.parts), this.#gaps))
      bars.parts = []
    }
  }

  /** The signals since the last call. */
  take(): readonly Signal[] {
    return this.#found.splice(0)
  }

  #addMinute(minute: Bar): void {
    for (const { parts } of this.#bars) parts.push(minute)
    const { ts, cells } = minute
    this.#past.add({
      ts,
      volume: cells.reduce((sum, cell) => plus(sum, volumeOf(cell)), ZERO),
      trade_count: cells.reduce((sum, cell) => sum + cell.buy_count + cell.sell_count, 0),
    })
  }

  #findLarge(
    ts: Micros,
    price: number,
    qty: number,
    is_buyer_maker: boolean,
    trade_id: number,
  ): void {
    const threshold = this.#thresholdAt(ts)
    if (threshold.mean === undefined || qty < threshold.qty_min) return
    const { volume, trade_count } = threshold.mean
    const exact = decimalOf(qty)
    const scaled = times(exact, { units: trade_count, digits: 0 })
    if (compare(scaled, times(volume, LARGE_TRADE.ratio)) < 0) return
    this.#found.push({
      ts,
      kind: 'large_trade',
      interval_s: null,
      bar_ts: null,
      side: is_buyer_maker ? 'sell' : 'buy',
      price_low: price,
      price_high: price,
      strength: quotient(scaled, volume),
      details: {
        ...detailsOf({ qty: exact }),
        reference_qty: quotient(volume, { units: trade_count, digits: 0 }),
        trade_id,
      },
      version: SIGNALS_VERSION,
    })
  }

  #thresholdAt(ts: Micros): Threshold {
    const minute = micros(ts - (ts % MINUTE_US))
    const blind_until = this.#gaps.before(ts + 1)
    const known = this.#threshold
    if (known?.minute === minute && known.blind_until === blind_until) return known
    const past = ts <= blind_until ? [] : this.#past.before(minute, blind_until)
    const trade_count = past.reduce((sum, one) => sum + one.trade_count, 0)
    const volume = past.reduce((sum, one) => plus(sum, one.volume), ZERO)
    const is_known = past.length >= LOOKBACK_BARS_MIN && trade_count >= LARGE_TRADE.trades_min
    const mean = is_known ? { volume, trade_count } : undefined
    const limit = quotient(times(volume, LARGE_TRADE.ratio), {
      units: Math.max(1, trade_count),
      digits: 0,
    })
    this.#threshold = { minute, mean, qty_min: limit * (1 - 1e-9), blind_until }
    return this.#threshold
  }
}
