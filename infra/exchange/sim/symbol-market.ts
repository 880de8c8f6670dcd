/**
 * One simulated symbol: its book, its trades and its streams. Streams and REST responses come from
 * the same book, so they always agree.
 */
import type { Hub, Topic } from '../protocol/hub.ts'
import { parseStreamName } from '../protocol/streams.ts'
import type {
  AggTradeRow,
  DepthSnapshot,
  Level,
  PremiumIndexRow,
  Ticker24hRow,
  TradeQuery,
  TradeRow,
} from '../source.ts'
import { Book, type Side } from './book.ts'
import { DepthFeed, topLevels } from './depth-feed.ts'
import { type ForcedOrder, Liquidations } from './liquidations.ts'
import type { SimulatedSymbol } from './listings.ts'
import { markPriceAt, type MarkPrice } from './mark-price.ts'
import { act, fillBook, type FlowSettings } from './order-flow.ts'
import {
  forceOrderPayload,
  markPricePayload,
  type NumberText,
  type PayloadStyle,
  type Scribe,
} from './payloads.ts'
import { createRandom, seedOf } from './random.ts'
import { TradeTape, type FirstIds } from './trade-tape.ts'
import type { MarketWatcher } from './watcher.ts'

export class SymbolMarket implements Scribe {
  readonly symbol: string
  readonly text: NumberText
  readonly book = new Book()
  watcher: MarketWatcher | undefined
  readonly #style: PayloadStyle
  readonly #hub: Hub
  readonly #random: () => number
  readonly #flow: FlowSettings
  readonly #price_scale: number
  readonly #phase: number
  readonly #trades: TradeTape
  readonly #streams = new Map<string, Topic>()
  #depth_feeds: DepthFeed[] = []
  readonly #mark_topics: { readonly topic: Topic; readonly interval_ms: number }[] = []
  #quote_topic: Topic | undefined
  #forced_topic: Topic | undefined
  readonly #liquidations: Liquidations
  #u: number
  #ts_ms = 0
  #mark: MarkPrice | undefined
  #mark_average: number

  constructor(
    simulated: SimulatedSymbol,
    seed: number,
    ids: FirstIds,
    history_rows_max: number,
    style: PayloadStyle,
    hub: Hub,
  ) {
    const { listing, tick_units, start_units, typical_steps } = simulated
    this.symbol = listing.symbol
    this.#hub = hub
    this.#random = createRandom(seedOf(seed, listing.symbol))
    this.#phase = this.#random()
    this.#liquidations = new Liquidations(createRandom(seedOf(seed, `${listing.symbol} forced`)))
    this.#flow = { start_price: start_units / tick_units, typical_qty: typical_steps }
    this.#price_scale = tick_units / 10 ** listing.price_decimals
    this.text = numberText(listing, tick_units, style)
    this.#style = style
    this.#u = ids.update_id
    this.#trades = new TradeTape(this, style, ids, history_rows_max, this.#random, hub)
    fillBook(this.book, this.#flow, this.#random)
    this.#mark_average = this.#mid()
  }

  /**
   * One action, with the frames that it causes at once. Returns whether it changed the best quote
   * and whether it traded.
   */
  step(u: number, ts_ms: number): { readonly has_quoted: boolean; readonly has_traded: boolean } {
    const { bids, asks } = this.book
    const bid = bids.bestPrice(0)
    const ask = asks.bestPrice(0)
    const bid_qty = bids.bestQty()
    const ask_qty = asks.bestQty()
    const fills = act(this.book, this.#flow, this.#random)
    this.#u = u
    this.#ts_ms = ts_ms
    for (const feed of this.#depth_feeds) feed.noteUpdate(u, ts_ms)
    for (const fill of fills) this.#trades.add(fill, ts_ms)
    if (!this.#style.has_trade_windows) this.#trades.endWindow(ts_ms)
    this.#liquidations.note(fills, ts_ms)
    const is_same =
      bid === bids.bestPrice(0) &&
      ask === asks.bestPrice(0) &&
      bid_qty === bids.bestQty() &&
      ask_qty === asks.bestQty()
    if (!is_same) this.#publishQuote(ts_ms)
    this.watcher?.noteStep(u, ts_ms, fills, !is_same)
    return { has_quoted: !is_same, has_traded: fills.length > 0 }
  }

  /** The end of a 100 ms window: sends aggregated trades and depth. */
  endWindow(now_ms: number): void {
    this.#trades.endWindow(now_ms)
    for (const feed of this.#depth_feeds) {
      feed.emit(this.#hub, this.#style, this, this.book, now_ms)
    }
    this.watcher?.endWindow(now_ms)
  }

  endSecond(now_ms: number): void {
    const forced = this.#liquidations.take()
    if (forced !== undefined) this.#publishForcedOrder(forced, now_ms)
    const mid = this.#mid()
    this.#mark_average += (mid - this.#mark_average) / 30
    this.#mark = markPriceAt(now_ms, mid, this.#mark_average, this.#phase)
    for (const { topic, interval_ms } of this.#mark_topics) {
      if (now_ms % interval_ms !== 0) continue
      const payload = this.#hub.wantsPayload(topic) ? markPricePayload(this.symbol, this.#mark) : ''
      this.#hub.publish(topic, now_ms, now_ms, payload)
    }
    this.watcher?.endSecond(this.#mark, forced)
  }

  /** The topic of one of this symbol's streams, created on first use. */
  topicOf(stream: string): Topic | undefined {
    const known = this.#streams.get(stream)
    if (known !== undefined) return known
    const name = parseStreamName(stream)
    if (name === undefined) return undefined
    const { stream_class, interval_ms } = name
    const depth = /^depth(5|10|20)?$/.exec(stream_class)
    const allowed = this.#style.intervals_ms[depth === null ? stream_class : 'depth']
    if (allowed === undefined || !allowed.includes(interval_ms)) return undefined
    const topic = this.#hub.createTopic(stream)
    this.#streams.set(stream, topic)
    if (stream_class === 'bookTicker') this.#quote_topic = topic
    else if (stream_class === 'aggTrade') this.#trades.agg_topic = topic
    else if (stream_class === 'trade') this.#trades.trade_topic = topic
    else if (stream_class === 'forceOrder') this.#forced_topic = topic
    else if (depth === null) this.#mark_topics.push({ topic, interval_ms: interval_ms ?? 3_000 })
    else
      this.#openDepth(
        topic,
        interval_ms ?? this.#style.depth_interval_ms,
        depth[1] === undefined ? undefined : Number(depth[1]),
      )
    return topic
  }

  depth(limit: number, now_ms: number): DepthSnapshot {
    const levels = (side: Side): readonly Level[] =>
      topLevels(this.book, side, limit).map(([price, qty]) => [
        this.text.price(price),
        this.text.qty(qty),
      ])
    return {
      lastUpdateId: this.#u,
      E: now_ms,
      T: this.#ts_ms,
      bids: levels('bid'),
      asks: levels('ask'),
    }
  }

  aggTrades(query: TradeQuery): readonly AggTradeRow[] {
    return this.#trades.aggTrades(query)
  }

  trades(query: TradeQuery): readonly TradeRow[] {
    return this.#trades.trades(query)
  }

  ticker24h(now_ms: number): Ticker24hRow {
    return this.#trades.ticker24h(now_ms)
  }

  premiumIndex(): PremiumIndexRow | undefined {
    const mark = this.#mark
    return (
      mark && {
        symbol: this.symbol,
        markPrice: mark.mark_price,
        indexPrice: mark.index_price,
        estimatedSettlePrice: mark.settle_price,
        lastFundingRate: mark.funding_rate,
        nextFundingTime: mark.next_funding_ms,
        time: mark.ts_ms,
      }
    )
  }

  #openDepth(topic: Topic, interval_ms: number, level_count: number | undefined): void {
    this.#depth_feeds.push(new DepthFeed(topic, interval_ms, level_count, this.#u))
    this.book.onChange = (side, price, qty) => {
      for (const feed of this.#depth_feeds) feed.noteLevel(side, price, qty)
    }
  }

  #publishForcedOrder(order: ForcedOrder, now_ms: number): void {
    const topic = this.#forced_topic
    if (topic === undefined) return
    const payload = this.#hub.wantsPayload(topic)
      ? forceOrderPayload(this.symbol, this.text, order, now_ms)
      : ''
    this.#hub.publish(topic, order.ts_ms, order.ts_ms, payload)
  }

  #publishQuote(ts_ms: number): void {
    const topic = this.#quote_topic
    if (topic === undefined) return
    const { bids, asks } = this.book
    const quote = {
      u: this.#u,
      bid: bids.bestPrice(0),
      bid_qty: bids.bestQty(),
      ask: asks.bestPrice(0),
      ask_qty: asks.bestQty(),
    }
    const payload = this.#hub.wantsPayload(topic) ? this.#style.bookTicker(this, quote, ts_ms) : ''
    this.#hub.publish(topic, this.#u, ts_ms, payload)
  }

  #mid(): number {
    const { bids, asks } = this.book
    return ((bids.bestPrice(0) + asks.bestPrice(0)) / 2) * this.#price_scale
  }
}

function numberText(
  { price_decimals, qty_decimals }: SimulatedSymbol['listing'],
  tick_units: number,
  { decimals }: PayloadStyle,
): NumberText {
  const price_scale = 10 ** price_decimals
  const qty_scale = 10 ** qty_decimals
  return {
    price: (ticks) => ((ticks * tick_units) / price_scale).toFixed(decimals ?? price_decimals),
    qty: (steps) => (steps / qty_scale).toFixed(decimals ?? qty_decimals),
  }
}
