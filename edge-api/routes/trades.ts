/** GET /v1/trades/{symbol} : trades in a range of time. */
import { createRoute } from '@hono/zod-openapi'
import { toIso } from '#core/time.ts'
import { cacheFor, type App, type Deps } from '../deps.ts'
import { exchangeQuery, query, rangeShape, resolveRange, symbolPath } from '../parameters.ts'
import { TradePage } from '../schemas.ts'
import { json, problems } from './answers.ts'
import { DEFAULT_SPAN_US } from './quotes.ts'
import { nextPath, splitPage, tradeJson } from './rows.ts'

const route = createRoute({
  method: 'get',
  path: '/v1/trades/{symbol}',
  operationId: 'listTrades',
  tags: ['market data'],
  summary: 'Trades of a symbol in a range of time',
  description:
    'In order of ts_exchange and agg_trade_id. Without `to` until now; without `from` the last five minutes before `to`.',
  request: { params: symbolPath, query: query({ exchange: exchangeQuery, ...rangeShape }) },
  responses: { 200: json(TradePage, 'A page of trades.'), ...problems(400, 404, 502, 503) },
})

export function tradeRoutes(app: App, deps: Deps): void {
  app.openapi(route, async (c) => {
    const { symbol } = c.req.valid('param')
    const asked = c.req.valid('query')
    const { from, to } = resolveRange(asked, deps.now(), DEFAULT_SPAN_US)
    const instrument = await deps.findInstrument(symbol, asked.exchange ?? null)
    const { limit, cursor: after = null } = asked
    const found = await deps.trades({ symbol_id: instrument.id, from, to, after, limit: limit + 1 })
    const page = splitPage(found, limit, (row) => ({ ts: row.ts_exchange, id: row.agg_trade_id }))
    cacheFor(c, 0)
    const { exchange } = instrument
    const bounds = { from: toIso(from), to: toIso(to) }
    return c.json(
      {
        exchange,
        symbol,
        ...bounds,
        row_count: page.rows.length,
        next: nextPath(c.req.path, page.next, { exchange, ...bounds, limit }),
        rows: page.rows.map((row) => tradeJson(row, instrument)),
      },
      200,
    )
  })
}
