/** Rows of the exchange simulator's market, in its own time: an hour takes seconds. */
import { silentLogger } from '#core/node/log.ts'
import type { Pool } from '#core/node/pool.ts'
import { FaultDesk } from '../../infra/exchange/faults/desk.ts'
import { Hub } from '../../infra/exchange/protocol/hub.ts'
import { namedSymbols } from '../../infra/exchange/sim/listings.ts'
import { Market } from '../../infra/exchange/sim/market.ts'
import {
  insertDepth,
  insertQuotes,
  insertTrades,
  type DepthEventRow,
  type QuoteRow,
  type TradeRow,
} from '../jobs/market.ts'

export interface SimulatedSpan {
  readonly symbol: string
  readonly seed: number
  /** Milliseconds since 1970. */
  readonly from_ms: number
  readonly length_s: number
  readonly events_per_s: number
}

type Wire = Readonly<Record<string, unknown>> & {
  readonly T: number
  readonly U: number
  readonly u: number
  readonly pu: number
  readonly a: number
  readonly m: boolean
}

/** Puts quotes, trades and the book of one symbol into the raw tables. */
export async function loadSimulation(pool: Pool, span: SimulatedSpan): Promise<void> {
  const { symbol, seed, from_ms, length_s, events_per_s } = span
  const desk = new FaultDesk(
    () => 0,
    () => 0,
  )
  const hub = new Hub(desk, { kind: 'wait', limit_bytes: 1 }, silentLogger)
  const options = { seed, symbols: namedSymbols([symbol]), events_per_s, start_ms: from_ms }
  const market = new Market({ ...options, history_trades_max: 1 }, hub)
  const name = symbol.toLowerCase()
  const wanted = new Set(
    ['bookTicker', 'aggTrade', 'depth@100ms'].flatMap((kind) => market.topicsOf(`${name}@${kind}`)),
  )
  hub.wantsPayload = (topic) => wanted.has(topic)
  const quotes: QuoteRow[] = []
  const trades: TradeRow[] = []
  const depth: DepthEventRow[] = []
  hub.publish = ({ stream }, _id, _ts_ms, payload) => {
    const wire = JSON.parse(payload) as Wire
    const number = (key: string): number => Number(wire[key])
    const ts = wire.T * 1_000
    const levels = (key: string): string =>
      `{${(wire[key] as readonly string[][]).map((level) => `{${level.join(',')}}`).join(',')}}`
    if (stream.endsWith('@bookTicker')) {
      const [bid, bid_qty] = [number('b'), number('B')]
      const [ask, ask_qty] = [number('a'), number('A')]
      quotes.push({ symbol, ts, id: wire.u, bid, bid_qty, ask, ask_qty })
    } else if (stream.endsWith('@aggTrade')) {
      const [price, qty] = [number('p'), number('q')]
      trades.push({ symbol, ts, id: wire.a, price, qty, is_buyer_maker: wire.m })
    } else {
      const [bids, asks] = [levels('b'), levels('a')]
      depth.push({ symbol, ts, kind: 'diff', before: wire.pu, id: wire.u, bids, asks })
    }
  }
  const step = (to_ms: number): void => {
    while (!market.advance(to_ms, 1_000_000));
  }
  step(from_ms + 1_000)
  const book = market.find(symbol)!.depth(1_000, market.now_ms)
  const levels = (side: readonly (readonly string[])[]): string =>
    `{${side.map((level) => `{${level.join(',')}}`).join(',')}}`
  depth.push({
    symbol,
    ts: market.now_ms * 1_000,
    kind: 'snapshot',
    before: null,
    id: book.lastUpdateId,
    bids: levels(book.bids),
    asks: levels(book.asks),
  })
  step(from_ms + length_s * 1_000)
  const sorted = depth.toSorted((a, b) => a.ts - b.ts)
  await insertQuotes(pool, quotes)
  await insertTrades(pool, trades)
  await insertDepth(pool, sorted)
}
