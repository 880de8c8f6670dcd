/**
 * GET /prices and below: index prices in the format of the price tracker. A ticker without prices
 * is a 404 on /prices/latest and an empty list elsewhere.
 */
import { createRoute, type z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { fromMillis, toIso, type Micros } from '#core/time.ts'
import { cacheFor, cacheLatest, type App, type Deps } from '../deps.ts'
import { found, Problem } from '../problem.ts'
import type { PriceRow } from '../queries/prices.ts'
import {
  FILTER_MAX,
  filterQuery,
  IndexPrice,
  IndexPriceList,
  IndexPriceRange,
  IndexPriceStats,
  ParameterErrors,
  pricesQuery,
  tickerQuery,
  Tickers,
} from '../schemas/price-schema.ts'
import { listBytes } from '../tables/page-size.ts'
import { json, problems } from './answers.ts'

/** Text of a row. */
const ROW_BYTES = 128

const shared = { method: 'get' as const, tags: ['index prices'] }
const refused = { 422: json(ParameterErrors, 'A parameter is missing or not allowed.') }

export const pricesRoute = createRoute({
  ...shared,
  path: '/prices',
  operationId: 'listIndexPrices',
  summary: 'Prices of an index, newest first',
  description: 'A page of all stored prices.',
  request: { query: pricesQuery },
  responses: { 200: json(IndexPriceList, 'A page of prices.'), ...refused, ...problems(502, 503) },
})

export const latestRoute = createRoute({
  ...shared,
  path: '/prices/latest',
  operationId: 'latestIndexPrice',
  summary: 'The newest price of an index',
  description: '404 if none is stored.',
  request: { query: tickerQuery },
  responses: { 200: json(IndexPrice, 'The price.'), ...refused, ...problems(404, 502, 503) },
})

export const filterRoute = createRoute({
  ...shared,
  path: '/prices/filter',
  operationId: 'filterIndexPrices',
  summary: 'Prices of an index in a time range, newest first',
  description:
    `At most ${FILTER_MAX} prices. If there are more, ` +
    'the Link header (rel="next") names the next page.',
  request: { query: filterQuery },
  responses: {
    200: json(IndexPriceRange, 'Prices of the range.'),
    ...refused,
    ...problems(400, 502, 503),
  },
})

export const statsRoute = createRoute({
  ...shared,
  path: '/prices/stats',
  operationId: 'indexPriceStats',
  summary: 'Count, range and mean of the stored prices of an index',
  description: 'Of all stored prices.',
  request: { query: tickerQuery },
  responses: { 200: json(IndexPriceStats, 'The statistics.'), ...refused, ...problems(502, 503) },
})

const tickersRoute = (path: string, operationId: string) =>
  createRoute({
    ...shared,
    path,
    operationId,
    summary: 'Names of the indexes that have prices',
    description: 'Each is a `ticker` of the other paths.',
    responses: { 200: json(Tickers, 'The names.'), ...problems(502, 503) },
  })

export function priceRoutes(app: App, deps: Deps): void {
  app.openapi(
    pricesRoute,
    async (c) => {
      const { ticker, skip, limit } = c.req.valid('query')
      return deps.memory.run(listBytes(limit, ROW_BYTES), async () => {
        const rows = await deps.prices({ ticker, start: null, end: null, skip, limit })
        cacheLatest(c)
        return c.json({ data: rows.map(priceJson), count: rows.length, ticker }, 200)
      })
    },
    refuseParameters,
  )
  app.openapi(
    latestRoute,
    async (c) => {
      const { ticker } = c.req.valid('query')
      const [row] = await deps.prices({ ticker, start: null, end: null, skip: 0, limit: 1 })
      if (row === undefined) throw noPrices(ticker)
      cacheLatest(c)
      return c.json(priceJson(row), 200)
    },
    refuseParameters,
  )
  addFilter(app, deps)
  app.openapi(
    statsRoute,
    async (c) => {
      const { first_timestamp, last_timestamp, ...figures } = await deps.priceStats(
        c.req.valid('query').ticker,
      )
      cacheFor(c, 10)
      const times = {
        first_timestamp: first_timestamp === null ? null : toMillis(first_timestamp),
        last_timestamp: last_timestamp === null ? null : toMillis(last_timestamp),
      }
      return c.json({ ...figures, ...times }, 200)
    },
    refuseParameters,
  )
  for (const [path, operationId] of [
    ['/prices/tickers', 'listIndexTickers'],
    ['/prices/available-tickers', 'listAvailableTickers'],
  ] as const) {
    app.openapi(tickersRoute(path, operationId), async (c) => {
      const tickers = await deps.priceTickers()
      cacheFor(c, 10)
      return c.json([...tickers], 200)
    })
  }
}

function addFilter(app: App, deps: Deps): void {
  app.openapi(
    filterRoute,
    async (c) => {
      const { ticker, start = null, end = null } = c.req.valid('query')
      if (start !== null && end !== null && start > end) throw reversedRange(start, end)
      return deps.memory.run(listBytes(FILTER_MAX, ROW_BYTES), async () => {
        const rows = await deps.prices({
          ticker,
          start: start === null ? null : fromMillis(start),
          end: end === null ? null : fromMillis(end),
          skip: 0,
          limit: FILTER_MAX + 1,
        })
        const data = rows.slice(0, FILTER_MAX).map(priceJson)
        if (rows.length > FILTER_MAX) {
          c.header('link', nextLink(ticker, start, data.at(-1)!.timestamp))
        }
        cacheLatest(c)
        return c.json({ data, count: data.length, ticker, start, end }, 200)
      })
    },
    refuseParameters,
  )
}

function priceJson(row: PriceRow): z.output<typeof IndexPrice> {
  return {
    ...row,
    timestamp: toMillis(row.timestamp),
    created_at: toIso(row.created_at).replace('Z', '+00:00'),
  }
}

/** Stored times are whole milliseconds. */
function toMillis(ts: Micros): number {
  return Math.floor(ts / 1_000)
}

/** A ticker has at most one price per millisecond: the next page ends 1 ms before the last row. */
function nextLink(ticker: string, start: number | null, last: number): string {
  const query = new URLSearchParams({ ticker, end: String(last - 1) })
  if (start !== null) query.set('start', String(start))
  return `</prices/filter?${query.toString()}>; rel="next"`
}

function noPrices(ticker: string): Problem {
  const detail = `Prices for ticker '${found(ticker)}' were not found.`
  return new Problem(404, 'unknown_ticker', 'This ticker has no prices.', detail)
}

function reversedRange(start: number, end: number): Problem {
  const detail = `start (${start}) cannot be later than end (${end}).`
  return new Problem(400, 'reversed_range', 'The range ends before it begins.', detail)
}

/** One entry per wrong parameter, in the format of the price tracker. */
function refuseParameters(
  result: { readonly success: true } | { readonly success: false; readonly error: z.ZodError },
  c: Context,
): undefined {
  if (result.success) return undefined
  const detail = result.error.issues.slice(0, 20).map((issue) => {
    const name = String(issue.path[0])
    const input = c.req.queries(name)?.join(', ')
    const is_missing = input === undefined
    return {
      type: is_missing ? 'missing' : issue.code,
      loc: ['query', name],
      msg: is_missing ? 'Field required' : issue.message,
      input: found(input),
    }
  })
  throw new Problem(422, 'bad_parameter', 'A parameter is not allowed.', '', { body: { detail } })
}
