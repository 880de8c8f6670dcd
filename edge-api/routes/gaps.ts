/** GET /v1/gaps : the holes of the recording that we know of. */
import { createRoute } from '@hono/zod-openapi'
import { DAY_US, toIso } from '#core/time.ts'
import { cacheLatest, type App, type Deps } from '../deps.ts'
import {
  channelQuery,
  exchangeQuery,
  flagQuery,
  query,
  rangeShape,
  resolveRange,
  symbolQuery,
} from '../schemas/parameters.ts'
import { GapPage } from '../schemas/schemas.ts'
import { TIME_AND_ID } from '../tables/cursor.ts'
import { listBytes, PAGE_BYTES_MAX } from '../tables/page-size.ts'
import { json, problems } from './answers.ts'
import { nextPath, splitPage } from './paging.ts'

/** As text, with a note of what was refilled. */
const ROW_BYTES = 512
const PAGE_ROWS_MAX = PAGE_BYTES_MAX / ROW_BYTES

export const route = createRoute({
  method: 'get',
  path: '/v1/gaps',
  operationId: 'listGaps',
  tags: ['market data'],
  summary: 'Known holes of the recording, with what was refilled',
  description:
    'Those that touch the range, in the order in which they begin. `to_ts` is null where a hole has ' +
    'not ended: the stream is not heard at the moment, or its ingestor is down (cause restart), or ' +
    'the symbol is no longer listed (cause delisted; then nothing is missing), or an operator chose ' +
    'not to record the stream (cause operator). ' +
    'Such a hole has a negative id; once it has ended it gets a row of its own, or goes where nothing was ' +
    'missed. Without `to` until now; without `from` the last 24 hours before `to`. ' +
    `A page ends after ${PAGE_ROWS_MAX} holes at the latest; \`next\` goes on.`,
  request: {
    query: query({
      exchange: exchangeQuery,
      symbol: symbolQuery,
      channel: channelQuery,
      open: flagQuery('Only holes whose events are still missing (true) or were refilled (false).'),
      ended: flagQuery('Only holes that have ended (true), or that have not (false).'),
      ...rangeShape(TIME_AND_ID),
    }),
  },
  responses: { 200: json(GapPage, 'A page of gaps.'), ...problems(400, 502, 503) },
})

export function gapRoutes(app: App, deps: Deps): void {
  app.openapi(route, async (c) => {
    const asked = c.req.valid('query')
    const { from, to } = resolveRange({ from: asked.from, to: asked.to }, deps.now(), DAY_US)
    const { exchange, symbol, channel, open, ended, limit, cursor } = asked
    const row_count_max = Math.min(limit, PAGE_ROWS_MAX)
    return deps.memory.run(listBytes(row_count_max, ROW_BYTES), async () => {
      const found = await deps.gaps({
        from,
        to,
        exchange: exchange ?? null,
        symbol: symbol ?? null,
        channel: channel ?? null,
        open: open ?? null,
        ended: ended ?? null,
        after: cursor ?? null,
        limit: row_count_max + 1,
      })
      const page = splitPage(found, row_count_max, (row) => [row.from_ts, row.id])
      cacheLatest(c)
      const bounds = { from: toIso(from), to: toIso(to) }
      return c.json(
        {
          ...bounds,
          row_count: page.rows.length,
          next: nextPath(c.req.path, page.next, {
            exchange,
            symbol,
            channel,
            open,
            ended,
            ...bounds,
            limit,
          }),
          rows: page.rows.map((row) => ({
            ...row,
            from_ts: toIso(row.from_ts),
            to_ts: row.to_ts === null ? null : toIso(row.to_ts),
            detected_at: toIso(row.detected_at),
            repaired_at: row.repaired_at === null ? null : toIso(row.repaired_at),
          })),
        },
        200,
      )
    })
  })
}
