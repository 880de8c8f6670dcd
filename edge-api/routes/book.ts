/** GET /v1/book/{symbol} : the order book, now or at a past time. */
import { createRoute } from '@hono/zod-openapi'
import type { BookSide, OrderBook } from '#core/book.ts'
import type { BookAt } from '#core/book-at.ts'
import type { Level } from '#core/market.ts'
import { type Micros, micros, SECOND_US, toIso } from '#core/time.ts'
import { cacheLatest, type App, type Deps } from '../deps.ts'
import { Problem } from '../problem.ts'
import {
  exchangeQuery,
  limitQuery,
  percentQuery,
  query,
  symbolPath,
  timeQuery,
} from '../schemas/parameters.ts'
import { Book } from '../schemas/schemas.ts'
import { decimalText, type Decimals } from '#core/decimal-text.ts'
import { BOOK_BYTES } from '../tables/page-size.ts'
import { ageMs } from '../formats/age.ts'
import { json, problems } from './answers.ts'

/** The exchange's clock may be ahead of ours; the newest updates must be included all the same. */
const CLOCKS_DIFFER_US = 60 * SECOND_US
const DEPTH_MAX = 5_000
const DEPTH_DEFAULT = 20
/** Maximum age of the newest update in the book [s]. */
const MAX_AGE_S = { standard: 3_600, maximum: 86_400 }

export const route = createRoute({
  method: 'get',
  path: '/v1/book/{symbol}',
  operationId: 'getBook',
  tags: ['market data'],
  summary: 'Order book of a symbol, now or at a past time',
  description:
    'The book is rebuilt from the last recorded snapshot before `ts` and all updates since. ' +
    'There is no book (404) if updates are missing after that snapshot, if the newest update is ' +
    'older than `max_age_s`, or if the snapshot is more than three hours older than that. ' +
    'Archived data follows the same rules.',
  request: {
    params: symbolPath,
    query: query({
      exchange: exchangeQuery,
      ts: timeQuery('Time of the book; by default the newest book.'),
      depth: limitQuery(DEPTH_MAX, DEPTH_DEFAULT),
      max_age_s: limitQuery(MAX_AGE_S.maximum, MAX_AGE_S.standard),
      range: percentQuery('Only levels within this distance of the mid price [%].'),
    }),
  },
  responses: { 200: json(Book, 'The book.'), ...problems(400, 404, 502, 503) },
})

export function bookRoutes(app: App, deps: Deps): void {
  app.openapi(route, async (c) => {
    const { symbol } = c.req.valid('param')
    const { exchange: wanted = null, ts: asked, depth, range, max_age_s } = c.req.valid('query')
    const instrument = await deps.findArchived(symbol, wanted)
    const now = deps.now()
    const at = asked ?? micros(now + CLOCKS_DIFFER_US)
    const ts = asked ?? now
    const max_age_us = max_age_s * SECOND_US
    const found = await deps.memory.run(BOOK_BYTES, () => deps.bookAt(instrument, at, max_age_us))
    if (isTooOld(found, ts, max_age_us)) throw noBook(symbol, ts, max_age_s)
    if (found.kind !== 'book') throw bookUnknown(found.since, symbol, asked === undefined)
    const { book, update_id, ts_exchange } = found
    const age_ms = ageMs(ts_exchange, ts)
    // With `range`, the default depth does not apply.
    const is_limited = range === undefined || c.req.query('depth') !== undefined
    cacheLatest(c)
    return c.json(
      {
        exchange: instrument.exchange,
        symbol,
        ts: toIso(ts),
        ts_exchange: toIso(ts_exchange),
        age_ms,
        max_age_s,
        update_id,
        ...levelsAround(book, is_limited ? depth : DEPTH_MAX, range, instrument),
      },
      200,
    )
  })
}

interface LevelTexts {
  readonly bids: [string, string][]
  readonly asks: [string, string][]
}

/** Levels with |price - mid| <= range % of the mid. Without a mid there are none in any range. */
function levelsAround(
  { bids, asks }: OrderBook,
  depth: number,
  range: number | undefined,
  decimals: Decimals,
): LevelTexts {
  const mid = (bids.priceAt(0) + asks.priceAt(0)) / 2
  const is_near = ([price]: Level): boolean =>
    range === undefined || Math.abs(price - mid) <= (mid * range) / 100
  const textsOf = (side: BookSide): [string, string][] =>
    side
      .top(depth)
      .filter(is_near)
      .map((level) => levelTexts(level, decimals))
  return { bids: textsOf(bids), asks: textsOf(asks) }
}

function levelTexts(
  [price, qty]: Level,
  { price_decimals, qty_decimals }: Decimals,
): [string, string] {
  return [decimalText(price, price_decimals), decimalText(qty, qty_decimals)]
}

type Found = Exclude<BookAt, { readonly kind: 'no_snapshot' }>

/** Also true if there is no book, or if updates have been missing for that long. */
function isTooOld(
  found: BookAt,
  ts: Micros,
  max_age_us: number,
): found is Extract<BookAt, { readonly kind: 'no_snapshot' }> {
  if (found.kind === 'no_snapshot') return true
  return ts - lastChange(found) > max_age_us
}

function lastChange(found: Found): Micros {
  return found.kind === 'book' ? found.ts_exchange : found.since
}

function noBook(symbol: string, ts: Micros, max_age_s: number): Problem {
  return new Problem(
    404,
    'no_book',
    'No order book was found.',
    `No book of ${symbol} was recorded in the ${max_age_s} seconds before ${toIso(ts)}. ` +
      `max_age_s can be up to ${MAX_AGE_S.maximum}.`,
  )
}

function bookUnknown(since: Micros, symbol: string, is_latest: boolean): Problem {
  const detail = `Updates of ${symbol} are missing since ${toIso(since)}.`
  if (!is_latest) return new Problem(404, 'book_unknown', 'The book is unknown.', detail)
  const headers = { 'retry-after': '5' }
  return new Problem(503, 'book_resyncing', 'The book is being resynchronized.', detail, {
    headers,
  })
}
