/** GET /v1/candles/{symbol} : candles of a symbol in a time range. */
import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { INTERVAL_US, INTERVALS } from '#core/clusters/intervals.ts'
import { DAY_US, micros, toIso, type Micros } from '#core/time.ts'
import type { App, Deps } from '../deps.ts'
import { chooseFormat } from '../formats/format.ts'
import {
  exchangeQuery,
  formatQuery,
  query,
  rangeShape,
  resolveRange,
  symbolPath,
  wordQuery,
} from '../schemas/parameters.ts'
import { pageSchema } from '../schemas/row-schema.ts'
import type { Cursor } from '../tables/cursor.ts'
import { heldBytes } from '../tables/page-size.ts'
import { candles } from '../tables/tables.ts'
import { page, problems } from './answers.ts'
import { nextPath } from './paging.ts'
import { rangeAnswer } from './range-answer.ts'

/** A page reads at most 864,000 rows of one second. */
const SPAN_MAX_US = 10 * DAY_US
const DEFAULT_COUNT = 100

export const route = createRoute({
  method: 'get',
  path: '/v1/candles/{symbol}',
  operationId: 'listCandles',
  tags: ['market data'],
  summary: 'Candles of a symbol, computed from its trades',
  description:
    'Candles that begin in the range, oldest first. An interval without trades has no candle, ' +
    'and the newest candle may still be open. A page covers at most ten days, or two days of ' +
    'archived data, so it may have fewer candles than `limit`, or none: follow `next`. `to` ' +
    `defaults to now, \`from\` to ${DEFAULT_COUNT} intervals before \`to\`. The dataset candles ` +
    'has whole days as files.',
  request: {
    params: symbolPath,
    query: query({
      exchange: exchangeQuery,
      interval: wordQuery(INTERVALS, '1m'),
      ...rangeShape(['time']),
      format: formatQuery,
    }),
  },
  responses: {
    200: page(pageSchema(candles, { interval: z.enum(INTERVALS) }), 'A page of candles.'),
    ...problems(400, 404, 406, 502, 503),
  },
})

export function candleRoutes(app: App, deps: Deps): void {
  app.openapi(route, async (c) => {
    const { symbol } = c.req.valid('param')
    const asked = c.req.valid('query')
    const format = chooseFormat(c as Context, asked.format)
    const interval_us = INTERVAL_US[asked.interval]
    const { from, to } = resolveRange(asked, deps.now(), DEFAULT_COUNT * interval_us)
    const instrument = await deps.findArchived(symbol, asked.exchange ?? null)
    const { exchange, id: symbol_id } = instrument
    const span = spanOf(from, to, asked.cursor, interval_us, asked.limit)
    const { interval, limit } = asked
    const args = { symbol_id, exchange, symbol, interval_us, ...span, limit }
    return deps.memory.run(heldBytes(candles.columns, limit), async () => {
      const { rows, reached } =
        span.from < span.to ? await deps.readCandles(args) : { rows: [], reached: span.to }
      const is_full = rows.length === limit
      const last_ts = is_full ? (rows.at(-1)!['ts'] as Micros) : micros(reached - interval_us)
      const next: Cursor | null = last_ts + interval_us < to ? [last_ts] : null
      const bounds = { from: toIso(from), to: toIso(to) }
      const parameters = { exchange, interval, ...bounds, limit, format: asked.format }
      return rangeAnswer(c as Context, deps.memory, format, {
        head: { exchange, symbol, interval, ...bounds },
        rows,
        columns: candles.columns,
        decimals: instrument,
        next: nextPath(c.req.path, next, parameters),
        version: null,
      })
    })
  })
}

/** The part of the range that a page covers: enough for `limit` candles, and at least a day. */
function spanOf(
  from: Micros,
  to: Micros,
  cursor: Cursor | undefined,
  interval_us: number,
  limit: number,
): { readonly from: Micros; readonly to: Micros } {
  const after_cursor = cursor === undefined ? from : Math.max(from, cursor[0] + 1)
  const start = upToGrid(after_cursor, interval_us)
  const end = start + Math.min(Math.max(limit * interval_us, DAY_US), SPAN_MAX_US)
  return { from: micros(start), to: micros(Math.min(end, upToGrid(to, interval_us))) }
}

function upToGrid(ts: number, interval_us: number): number {
  return Math.ceil(ts / interval_us) * interval_us
}
