/** GET /v1/gaps : known gaps of the recording. */
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

/** Text of a row, including its repair note. */
const ROW_BYTES = 512
const PAGE_ROWS_MAX = PAGE_BYTES_MAX / ROW_BYTES

export const route = createRoute({
  method: 'get',
  path: '/v1/gaps',
  operationId: 'listGaps',
  tags: ['market data'],
  summary: 'Known gaps of the recording, and how much of them was refilled',
  description:
    'Gaps that overlap the range, ordered by their start. `to_ts` is null until a gap ends. A ' +
    'gap has not ended while the stream is not received, while its ingestor is down (cause ' +
    'restart), while an operator excludes the stream (cause operator), or if the symbol is no ' +
    'longer listed (cause delisted; nothing is missing then). A gap that has not ended has a ' +
    'negative id. When it ends it gets a new id, or disappears if no event was missed. `to` ' +
    'defaults to now, `from` to 24 hours before `to`. A page has at most ' +
    `${PAGE_ROWS_MAX} gaps: follow \`next\`.`,
  request: {
    query: query({
      exchange: exchangeQuery,
      symbol: symbolQuery,
      channel: channelQuery,
      open: flagQuery('true: only gaps whose events are missing. false: only refilled gaps.'),
      ended: flagQuery('true: only gaps that have ended. false: only gaps that have not.'),
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
