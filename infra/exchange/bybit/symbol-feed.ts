/**
 * One simulated symbol in Bybit's format: the topics orderbook.1, orderbook.50, publicTrade,
 * tickers and allLiquidation. Books of 50 levels are sent every 100 ms (Bybit: 20 ms); each change
 * raises the update id by one.
 */
import type { Hub, Topic } from '../protocol/hub.ts'
import type { Book, Side } from '../sim/book.ts'
import { topLevels } from '../sim/depth-feed.ts'
import type { ForcedOrder } from '../sim/liquidations.ts'
import type { MarkPrice } from '../sim/mark-price.ts'
import type { Fill } from '../sim/order-flow.ts'
import type { Scribe } from '../sim/payloads.ts'
import type { MarketWatcher } from '../sim/watcher.ts'
import {
  bookFrame,
  figuresOf,
  type LevelList,
  liquidationFrame,
  tickerFrame,
  type TickerFigures,
  tradesFrame,
} from './payloads.ts'

const TOPIC_CLASSES = [
  'orderbook.1',
  'orderbook.50',
  'publicTrade',
  'tickers',
  'allLiquidation',
] as const
type TopicClass = (typeof TOPIC_CLASSES)[number]

const LEVEL_COUNT = 50
/** An unchanged quote is sent again after this time. */
const QUOTE_REPEAT_MS = 3_000
const EPOCH_MS = Date.UTC(2026, 0, 1)
const UPDATES_PER_S = 1_000

export class BybitSymbolFeed implements MarketWatcher {
  readonly #scribe: Scribe
  readonly #book: Book
  readonly #hub: Hub
  readonly #topics = new Map<TopicClass, Topic>()
  /** The book as last sent, in ticks and steps. */
  #bids: ReadonlyMap<number, number>
  #asks: ReadonlyMap<number, number>
  #book_u: number
  #quote_u: number
  #quoted_ms = 0
  #seq = 0
  #trade_count: number
  #figures: TickerFigures | undefined
  #last_price = ''

  constructor(scribe: Scribe, book: Book, now_ms: number, hub: Hub) {
    this.#scribe = scribe
    this.#book = book
    this.#hub = hub
    // A later start has larger ids, so that they do not decrease after a restart.
    const first = Math.max(1, Math.floor(((now_ms - EPOCH_MS) / 1_000) * UPDATES_PER_S))
    this.#book_u = first
    this.#quote_u = first
    this.#trade_count = first
    this.#bids = this.#top('bid')
    this.#asks = this.#top('ask')
  }

  /** Undefined if the topic does not exist. */
  topicOf(name: string): Topic | undefined {
    const topic_class = TOPIC_CLASSES.find((one) => name === `${one}.${this.#scribe.symbol}`)
    if (topic_class === undefined) return undefined
    const topic = this.#topics.get(topic_class) ?? this.#hub.createTopic(name)
    this.#topics.set(topic_class, topic)
    return topic
  }

  /** The first frame of a new subscription; undefined if the topic has no state (yet). */
  openingFrame(name: string, now_ms: number): string | undefined {
    const { symbol } = this.#scribe
    if (name === `orderbook.1.${symbol}`) return this.#quoteFrame(name, now_ms)
    if (name === `orderbook.50.${symbol}`) {
      const [bids, asks] = [[...this.#bids], [...this.#asks]]
      return this.#bookFrame(name, 'snapshot', now_ms, bids, asks, this.#book_u)
    }
    if (name !== `tickers.${symbol}` || this.#figures === undefined) return undefined
    return tickerFrame(symbol, name, 'snapshot', this.#figures, now_ms, this.#seq)
  }

  noteStep(u: number, ts_ms: number, fills: readonly Fill[], has_quoted: boolean): void {
    this.#seq = u
    if (fills.length > 0) this.#publishTrades(fills, ts_ms)
    if (has_quoted) this.#publishQuote(ts_ms, true)
  }

  endWindow(now_ms: number): void {
    this.#publishBook(now_ms)
    if (now_ms - this.#quoted_ms >= QUOTE_REPEAT_MS) this.#publishQuote(now_ms, false)
    if (this.#figures !== undefined && this.#figures['lastPrice'] !== this.#last_price) {
      this.#publishFigures({ lastPrice: this.#last_price }, now_ms)
    }
  }

  endSecond(mark: MarkPrice, forced: ForcedOrder | undefined): void {
    this.#publishFigures(figuresOf(mark), mark.ts_ms)
    const topic = this.#topics.get('allLiquidation')
    if (topic === undefined || forced === undefined) return
    this.#publish(topic, forced.ts_ms, mark.ts_ms, () =>
      liquidationFrame(this.#scribe, topic.stream, forced, mark.ts_ms),
    )
  }

  #publishTrades(fills: readonly Fill[], ts_ms: number): void {
    const trades = fills.map((fill) => ({ ...fill, number: ++this.#trade_count }))
    this.#last_price = this.#scribe.text.price(fills.at(-1)!.price)
    const topic = this.#topics.get('publicTrade')
    if (topic === undefined) return
    this.#publish(topic, this.#seq, ts_ms, () =>
      tradesFrame(this.#scribe, topic.stream, trades, ts_ms, this.#seq),
    )
  }

  #publishQuote(ts_ms: number, is_new: boolean): void {
    this.#quoted_ms = ts_ms
    if (is_new) this.#quote_u += 1
    const topic = this.#topics.get('orderbook.1')
    if (topic === undefined) return
    this.#publish(topic, this.#quote_u, ts_ms, () => this.#quoteFrame(topic.stream, ts_ms))
  }

  #quoteFrame(topic: string, ts_ms: number): string {
    const [bids, asks] = [topLevels(this.#book, 'bid', 1), topLevels(this.#book, 'ask', 1)]
    return this.#bookFrame(topic, 'snapshot', ts_ms, bids, asks, this.#quote_u)
  }

  #publishBook(now_ms: number): void {
    const topic = this.#topics.get('orderbook.50')
    if (topic === undefined) return
    const [bids, asks] = [this.#top('bid'), this.#top('ask')]
    const changed_bids = changesOf(this.#bids, bids)
    const changed_asks = changesOf(this.#asks, asks)
    if (changed_bids.length === 0 && changed_asks.length === 0) return
    this.#bids = bids
    this.#asks = asks
    this.#book_u += 1
    this.#publish(topic, this.#book_u, now_ms, () =>
      this.#bookFrame(topic.stream, 'delta', now_ms, changed_bids, changed_asks, this.#book_u),
    )
  }

  #publishFigures(figures: TickerFigures, ts_ms: number): void {
    const before = this.#figures
    this.#figures = { ...before, ...figures }
    const topic = this.#topics.get('tickers')
    if (topic === undefined) return
    const changed = Object.entries(figures).filter(([name, text]) => before?.[name] !== text)
    const [type, sent] =
      before === undefined
        ? (['snapshot', this.#figures] as const)
        : (['delta', Object.fromEntries(changed)] as const)
    this.#publish(topic, ts_ms, ts_ms, () =>
      tickerFrame(this.#scribe.symbol, topic.stream, type, sent, ts_ms, this.#seq),
    )
  }

  #publish(topic: Topic, id: number, ts_ms: number, write: () => string): void {
    this.#hub.publish(topic, id, ts_ms, this.#hub.wantsPayload(topic) ? write() : '')
  }

  #bookFrame(
    topic: string,
    type: 'snapshot' | 'delta',
    ts_ms: number,
    bids: LevelList,
    asks: LevelList,
    u: number,
  ): string {
    return bookFrame(this.#scribe, { topic, type, ts_ms, bids, asks, u, seq: this.#seq })
  }

  #top(side: Side): ReadonlyMap<number, number> {
    return new Map(topLevels(this.#book, side, LEVEL_COUNT))
  }
}

/** Levels that are new or changed, and removed ones with quantity 0. */
function changesOf(
  before: ReadonlyMap<number, number>,
  after: ReadonlyMap<number, number>,
): LevelList {
  const gone = [...before.keys()].filter((price) => !after.has(price))
  const changed = [...after].filter(([price, qty]) => before.get(price) !== qty)
  return [...changed, ...gone.map((price) => [price, 0] as const)]
}
