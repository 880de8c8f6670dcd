/**
 * GET /data/{symbol} : the book of a symbol, now or sampled over a range, in the order book
 * collector's format. If no book of the symbol is recorded, the newest quote serves as the book.
 */
import { createRoute } from '@hono/zod-openapi'
import { difference, middle } from '#core/decimals.ts'
import { HOUR_US, micros, SECOND_US, type Micros } from '#core/time.ts'
import type { Level } from '#core/market.ts'
import { cacheLatest, type App, type Deps } from '../deps.ts'
import { Problem } from '../problem.ts'
import type { Instrument } from '../range/instruments.ts'
import { CollectorBook, CollectorHistory } from '../schemas/collector-schema.ts'
import {
  exchangeQuery,
  query,
  rangeShape,
  resolveRange,
  symbolPath,
} from '../schemas/parameters.ts'
import { decimalText, decimalsIn, roundedText, type Decimals } from '#core/decimal-text.ts'
import { BOOK_BYTES, heldBytes } from '../tables/page-size.ts'
import { cursorKinds, type Row } from '../tables/table.ts'
import { orderbook_topn } from '../tables/tables.ts'
import { json, problems } from './answers.ts'
import { nextPath } from './paging.ts'

const LEVEL_COUNT = 20
const TOPN_COUNT = 10
/** The exchange's clock may be ahead of ours. */
const CLOCKS_DIFFER_US = 60 * SECOND_US
/** Maximum age of a book; the default of /v1/book. */
const MAX_AGE_US = HOUR_US

export const route = createRoute({
  method: 'get',
  path: '/data/{symbol}',
  operationId: 'collectorData',
  tags: ['collector'],
  summary: 'Order book of a symbol: now, or sampled over a time range',
  description:
    'Without `from` and `to`: the best 20 levels of the newest book. With one of them: the best ' +
    '10 levels of each sampled book in the range. /v1/orderbook-topn and /v1/book have more.',
  request: {
    params: symbolPath,
    query: query({ exchange: exchangeQuery, ...rangeShape(cursorKinds(orderbook_topn)) }),
  },
  responses: {
    200: json(CollectorBook.or(CollectorHistory), 'The newest book, or the books of the range.'),
    ...problems(400, 404, 502, 503),
  },
})

export function dataRoutes(app: App, deps: Deps): void {
  app.openapi(route, async (c) => {
    const { symbol } = c.req.valid('param')
    const asked = c.req.valid('query')
    const instrument = await deps.findInstrument(symbol, asked.exchange ?? null)
    if ((asked.from ?? asked.to ?? asked.cursor) === undefined) {
      const book = await deps.memory.run(BOOK_BYTES, () => newestBook(deps, instrument))
      cacheLatest(c)
      return c.json({ symbol, ...book }, 200)
    }
    const { from, to } = resolveRange(asked, deps.now(), orderbook_topn.default_span_us)
    const { limit, cursor: after = null } = asked
    const { id: symbol_id, exchange } = instrument
    const { columns } = orderbook_topn
    const wanted = {
      table: orderbook_topn,
      columns,
      symbol_id,
      exchange,
      symbol,
      from,
      to,
      after,
      limit,
    }
    return deps.memory.run(heldBytes(columns, limit), async () => {
      const { rows, next } = await deps.readRange(wanted)
      cacheLatest(c)
      return c.json(
        {
          symbol,
          count: rows.length,
          next: nextPath(c.req.path, next, { exchange, from, to, limit }),
          data: rows.map((row) => sampledBook(row, instrument)),
        },
        200,
      )
    })
  })
}

async function newestBook(deps: Deps, instrument: Instrument) {
  const now = deps.now()
  const found = await deps.bookAt(instrument, micros(now + CLOCKS_DIFFER_US), MAX_AGE_US)
  if (found.kind === 'book' && now - found.ts_exchange <= MAX_AGE_US) {
    const { bids, asks } = found.book
    return bookJson(found.ts_exchange, bids.top(LEVEL_COUNT), asks.top(LEVEL_COUNT), instrument)
  }
  const quote = await deps.latestQuote(instrument, now, micros(0))
  if (quote === undefined) {
    const detail = `No recent book or quote of ${instrument.symbol} was found.`
    throw new Problem(404, 'no_book', 'No order book was found.', detail)
  }
  const bids = levelOf(quote, 'best_bid', 'bid_qty')
  const asks = levelOf(quote, 'best_ask', 'ask_qty')
  return bookJson(quote['ts_exchange'] as Micros, bids, asks, instrument)
}

/** Empty if the side is empty. */
function levelOf(row: Row, price_name: string, qty_name: string): readonly Level[] {
  const [price, qty] = [row[price_name], row[qty_name]]
  return typeof price === 'number' && typeof qty === 'number' ? [[price, qty]] : []
}

function sampledBook(row: Row, decimals: Decimals) {
  const levelsOf = (letter: 'a' | 'b'): readonly Level[] =>
    Array.from({ length: TOPN_COUNT }, (_, i) => i + 1).flatMap((rank) =>
      levelOf(row, `${letter}${rank}_price`, `${letter}${rank}_qty`),
    )
  return bookJson(row['ts_exchange'] as Micros, levelsOf('b'), levelsOf('a'), decimals)
}

function bookJson(ts: Micros, bids: readonly Level[], asks: readonly Level[], decimals: Decimals) {
  const best = [bids[0], asks[0]].map((level) => level?.[0])
  return {
    timestamp: ts / SECOND_US,
    bids: bids.map((level, i) => levelJson(level, i, decimals)),
    asks: asks.map((level, i) => levelJson(level, i, decimals)),
    ...distances(best[0], best[1], decimals),
  }
}

function levelJson([price, qty]: Level, level: number, decimals: Decimals) {
  return {
    price: decimalText(price, decimals.price_decimals),
    quantity: decimalText(qty, decimals.qty_decimals),
    level,
  }
}

function distances(
  bid: number | undefined,
  ask: number | undefined,
  { price_decimals }: Decimals,
): { readonly spread: string | null; readonly mid_price: string | null } {
  if (bid === undefined || ask === undefined) return { spread: null, mid_price: null }
  const decimals = Math.max(
    ...[bid, ask].map((price) => decimalsIn(decimalText(price, price_decimals))),
  )
  return {
    spread: roundedText(difference(ask, bid), decimals),
    mid_price: roundedText(middle(bid, ask), decimals + 1),
  }
}
