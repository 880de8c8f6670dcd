/**
 * The market of the benchmark: 200 symbols, as active as the simulator's, with nine quotes per
 * trade. The same seed gives the same events, so the ingestor's rows can be compared with rows
 * prepared without it.
 */
import type { BookTicker, Trade } from '#core/market.ts'
import { micros } from '#core/time.ts'
import { firstWhere } from '../../infra/exchange/trade-range.ts'
import {
  aggTradePayload,
  bookTickerPayload,
  type NumberText,
} from '../../infra/exchange/sim/payloads.ts'
import { listedSymbols, type SimulatedSymbol } from '../../infra/exchange/sim/listings.ts'
import { createRandom } from '../../infra/exchange/sim/random.ts'

export const SYMBOL_COUNT = 200
/** 12:00 of a day in 2026; all events are within the hour. */
export const START_MS = Date.UTC(2026, 2, 1, 12)

/** The recorded channels, in table order. */
export const CHANNELS = ['book_ticker', 'trades'] as const
export type Channel = (typeof CHANNELS)[number]

const SEED = 1
const TRADE_SHARE = 0.1
/** Maximum distance of a price from its start, in ticks. */
const SWING_TICKS = 500

export interface WorkloadEvent {
  readonly symbol: string
  readonly channel: Channel
  /** `btcusdt@bookTicker` */
  readonly stream: string
  readonly ts_ms: number
  /**
   * The event that the adapter makes of the frame, except for the receive time, which is set here.
   */
  readonly event: BookTicker | Trade
  readonly payload: string
}

interface SymbolState {
  readonly symbol: string
  readonly quotes: string
  readonly trades: string
  readonly text: NumberText
  readonly price_scale: number
  readonly qty_scale: number
  readonly start_ticks: number
  agg_trade_id: number
}

export const SYMBOLS: readonly SimulatedSymbol[] = listedSymbols(SYMBOL_COUNT)

export class Workload {
  readonly #random = createRandom(SEED)
  readonly #symbols = SYMBOLS.map(describe)
  readonly #cumulative_weights: Float64Array
  #update_id = 9_000_000_000_000

  constructor() {
    const total = SYMBOLS.reduce((sum, { weight }) => sum + weight, 0)
    let sum = 0
    this.#cumulative_weights = Float64Array.from(SYMBOLS, ({ weight }) => (sum += weight / total))
  }

  next(ts_ms: number): WorkloadEvent {
    const drawn = this.#random()
    const at = firstWhere(SYMBOL_COUNT - 1, (index) => this.#cumulative_weights[index]! > drawn)
    const state = this.#symbols[at]!
    return this.#random() < TRADE_SHARE ? this.#trade(state, ts_ms) : this.#quote(state, ts_ms)
  }

  #quote(state: SymbolState, ts_ms: number): WorkloadEvent {
    const { symbol, text, price_scale, qty_scale } = state
    const update_id = (this.#update_id += 1 + Math.floor(this.#random() * 40))
    const bid = this.#price(state)
    const ask = bid + 1
    const bid_qty = this.#qty()
    const ask_qty = this.#qty()
    return {
      symbol,
      channel: 'book_ticker',
      stream: state.quotes,
      ts_ms,
      event: {
        kind: 'book_ticker',
        ...stamped(symbol, ts_ms),
        update_id,
        best_bid: bid / price_scale,
        best_ask: ask / price_scale,
        bid_qty: bid_qty / qty_scale,
        ask_qty: ask_qty / qty_scale,
      },
      payload: bookTickerPayload(symbol, text, update_id, bid, bid_qty, ask, ask_qty, ts_ms),
    }
  }

  #trade(state: SymbolState, ts_ms: number): WorkloadEvent {
    const { symbol, text, price_scale, qty_scale } = state
    const id = (state.agg_trade_id += 1)
    const price = this.#price(state)
    const qty = this.#qty()
    const is_buyer_maker = this.#random() < 0.5
    const trade = {
      id,
      ts_ms,
      price,
      qty,
      non_rpi_qty: qty,
      first_id: id * 2,
      last_id: id * 2 + 1,
      is_buyer_maker,
    }
    return {
      symbol,
      channel: 'trades',
      stream: state.trades,
      ts_ms,
      event: {
        kind: 'trade',
        ...stamped(symbol, ts_ms),
        agg_trade_id: id,
        price: price / price_scale,
        qty: qty / qty_scale,
        non_rpi_qty: qty / qty_scale,
        first_trade_id: trade.first_id,
        last_trade_id: trade.last_id,
        is_buyer_maker,
      },
      payload: aggTradePayload(symbol, text, trade, ts_ms),
    }
  }

  #price({ start_ticks }: SymbolState): number {
    return start_ticks + Math.floor(this.#random() * SWING_TICKS)
  }

  #qty(): number {
    return 1 + Math.floor(this.#random() * 99_999)
  }
}

/** Events [from, to), ten per millisecond. */
export interface EventRange {
  readonly from: number
  readonly to: number
}

export function* prepared({ from, to }: EventRange): Generator<WorkloadEvent> {
  const workload = new Workload()
  for (let index = 0; index < to; index++) {
    const event = workload.next(START_MS + Math.floor(index / 10))
    if (index >= from) yield event
  }
}

function stamped(symbol: string, ts_ms: number) {
  const ts_exchange = micros(ts_ms * 1_000)
  return {
    exchange: 'binance-futures',
    symbol,
    ts_exchange,
    ts_ingest: micros(ts_exchange + 321),
  } as const
}

function describe({ listing, start_units }: SimulatedSymbol): SymbolState {
  const { symbol, price_decimals, qty_decimals } = listing
  const price_scale = 10 ** price_decimals
  const qty_scale = 10 ** qty_decimals
  return {
    symbol,
    quotes: `${symbol.toLowerCase()}@bookTicker`,
    trades: `${symbol.toLowerCase()}@aggTrade`,
    text: {
      price: (ticks) => (ticks / price_scale).toFixed(price_decimals),
      qty: (steps) => (steps / qty_scale).toFixed(qty_decimals),
    },
    price_scale,
    qty_scale,
    start_ticks: start_units,
    agg_trade_id: 1_000_000_000,
  }
}
