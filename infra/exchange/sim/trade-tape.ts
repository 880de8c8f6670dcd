/**
 * The trades of one simulated symbol: sent one by one, and aggregated by price and taker side. All
 * sent trades are kept, so that REST returns them field for field.
 */
import type { Hub, Topic } from '../protocol/hub.ts'
import type { AggTradeRow, Ticker24hRow, TradeQuery, TradeRow } from '../source.ts'
import type { Fill } from './order-flow.ts'
import type { AggTrade, PayloadStyle, Scribe } from './payloads.ts'
import { TradeLog } from './trade-log.ts'

export interface FirstIds {
  readonly agg_trade_id: number
  readonly trade_id: number
  readonly update_id: number
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] }
type AggColumns = [number, number, number, number, number, number, number, number]
type TradeColumns = [number, number, number, number, number]

/** Share of fills against retail price improvement orders, which `nq` leaves out. */
const RPI_SHARE = 0.02
const DAY_MS = 24 * 3_600_000

export class TradeTape {
  agg_topic: Topic | undefined
  trade_topic: Topic | undefined
  readonly #scribe: Scribe
  readonly #style: PayloadStyle
  readonly #random: () => number
  readonly #hub: Hub
  readonly #agg_trades: TradeLog
  readonly #trades: TradeLog
  #next_agg_id: number
  #next_trade_id: number
  #pending: Writable<AggTrade> | undefined
  #trade_count = 0
  /** Volume in steps, turnover in ticks times steps. */
  #volume = 0
  #turnover = 0
  #last_price = 0

  constructor(
    scribe: Scribe,
    style: PayloadStyle,
    ids: FirstIds,
    history_rows_max: number,
    random: () => number,
    hub: Hub,
  ) {
    this.#scribe = scribe
    this.#style = style
    this.#random = random
    this.#hub = hub
    this.#next_agg_id = ids.agg_trade_id
    this.#next_trade_id = ids.trade_id
    this.#agg_trades = new TradeLog(8, history_rows_max)
    this.#trades = new TradeLog(5, history_rows_max)
  }

  add({ price, qty, is_buyer_maker }: Fill, ts_ms: number): void {
    const id = this.#next_trade_id
    this.#next_trade_id += 1
    this.#trades.push([id, ts_ms, price, qty, is_buyer_maker ? 1 : 0])
    this.#trade_count += 1
    this.#volume += qty
    this.#turnover += price * qty
    this.#last_price = price
    const topic = this.trade_topic
    if (topic !== undefined) {
      const payload = this.#hub.wantsPayload(topic)
        ? this.#style.trade(this.#scribe, { id, price, qty, is_buyer_maker }, ts_ms)
        : ''
      this.#hub.publish(topic, id, ts_ms, payload)
    }
    if (this.#pending?.price !== price || this.#pending.is_buyer_maker !== is_buyer_maker) {
      this.endWindow(ts_ms)
    }
    const pending = (this.#pending ??= {
      id: this.#next_agg_id,
      ts_ms,
      price,
      qty: 0,
      non_rpi_qty: 0,
      first_id: id,
      last_id: id,
      is_buyer_maker,
    })
    pending.ts_ms = ts_ms
    pending.qty += qty
    pending.last_id = id
    if (this.#random() >= RPI_SHARE) pending.non_rpi_qty += qty
  }

  /** Sends and stores the aggregate at the same time, so REST has no trade that was not sent. */
  endWindow(now_ms: number): void {
    const trade = this.#pending
    if (trade === undefined) return
    this.#pending = undefined
    this.#next_agg_id += 1
    const { id, ts_ms, price, qty, non_rpi_qty, first_id, last_id } = trade
    const maker = trade.is_buyer_maker ? 1 : 0
    this.#agg_trades.push([id, ts_ms, price, qty, non_rpi_qty, first_id, last_id, maker])
    const topic = this.agg_topic
    if (topic === undefined) return
    const payload = this.#hub.wantsPayload(topic)
      ? this.#style.aggTrade(this.#scribe, trade, now_ms)
      : ''
    this.#hub.publish(topic, id, ts_ms, payload)
  }

  aggTrades(query: TradeQuery): readonly AggTradeRow[] {
    const { text } = this.#scribe
    return this.#agg_trades.select(query).map((row) => {
      const [a, T, price, qty, non_rpi_qty, f, l, maker] = row as AggColumns
      const amounts = { p: text.price(price), q: text.qty(qty), nq: text.qty(non_rpi_qty) }
      return { a, ...amounts, f, l, T, m: maker === 1 }
    })
  }

  /** Covers all trades since the start, because a simulation rarely runs for a day. */
  ticker24h(now_ms: number): Ticker24hRow {
    const { symbol, text } = this.#scribe
    const price_scale = Number(text.price(1))
    const qty_scale = Number(text.qty(1))
    return {
      symbol,
      lastPrice: text.price(this.#last_price),
      volume: (this.#volume * qty_scale).toFixed(3),
      quoteVolume: (this.#turnover * price_scale * qty_scale).toFixed(2),
      openTime: now_ms - DAY_MS,
      closeTime: now_ms,
      count: this.#trade_count,
    }
  }

  trades(query: TradeQuery): readonly TradeRow[] {
    const { text } = this.#scribe
    return this.#trades.select(query).map((row) => {
      const [id, time, price_ticks, qty_steps, maker] = row as TradeColumns
      const price = text.price(price_ticks)
      const qty = text.qty(qty_steps)
      const quoteQty = (Number(price) * Number(qty)).toFixed(4)
      return { id, price, qty, quoteQty, time, isBuyerMaker: maker === 1 }
    })
  }
}
