/** GET /stats : newest quote and trade of every symbol, in the order book collector's format. */
import { createRoute } from '@hono/zod-openapi'
import { difference } from '#core/decimals.ts'
import { decimalsOf } from '#core/symbols.ts'
import { HOUR_US, micros, SECOND_US } from '#core/time.ts'
import { cacheFor, type App, type Deps } from '../deps.ts'
import type { SymbolStatsRow } from '../queries/symbol-stats.ts'
import { CollectorStats } from '../schemas/collector-schema.ts'
import { query } from '../schemas/parameters.ts'
import { decimalText, decimalsIn, roundedText } from '#core/decimal-text.ts'
import { LIST_BYTES } from '../tables/page-size.ts'
import { json, problems } from './answers.ts'

const SYMBOLS_MAX = 5_000
/** The query takes two index probes per symbol, so its answer is cached. */
const CACHE_S = 5

export const route = createRoute({
  method: 'get',
  path: '/stats',
  operationId: 'symbolStats',
  tags: ['collector'],
  summary: 'Newest quote and trade of every symbol',
  description: 'Only the last hour counts: values are null if it had no quote or trade.',
  request: { query: query({}) },
  responses: { 200: json(CollectorStats, 'One entry per symbol.'), ...problems(400, 502, 503) },
})

export function statsRoutes(app: App, deps: Deps): void {
  app.openapi(route, async (c) => {
    const now = deps.now()
    return deps.memory.run(LIST_BYTES, async () => {
      const rows = await deps.symbolStats(micros(now - HOUR_US), SYMBOLS_MAX)
      const symbols = rows.map(statsJson)
      cacheFor(c, CACHE_S)
      return c.json(
        {
          timestamp: now / SECOND_US,
          symbol_count: symbols.length,
          active_count: symbols.filter(({ last_update }) => last_update !== null).length,
          symbols,
        },
        200,
      )
    })
  })
}

function statsJson(row: SymbolStatsRow) {
  const decimals = row.tick_size === null ? null : decimalsOf(row.tick_size)
  const textOf = (value: number | null): string | null =>
    value === null ? null : decimalText(value, decimals)
  const [best_bid, best_ask] = [textOf(row.best_bid), textOf(row.best_ask)]
  const newest = Math.max(row.quote_ts ?? 0, row.trade_ts ?? 0)
  return {
    exchange: row.exchange,
    symbol: row.symbol,
    is_active: row.is_active,
    last_update: newest === 0 ? null : newest / SECOND_US,
    best_bid,
    best_ask,
    spread: spreadText(best_bid, best_ask),
    last_price: textOf(row.price),
  }
}

function spreadText(best_bid: string | null, best_ask: string | null): string | null {
  if (best_bid === null || best_ask === null) return null
  const decimals = Math.max(decimalsIn(best_bid), decimalsIn(best_ask))
  return roundedText(difference(Number(best_ask), Number(best_bid)), decimals)
}
