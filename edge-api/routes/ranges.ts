/** GET /v1/<table>/{symbol} : rows of a symbol in a time range, one route per table. */
import { createRoute } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { toIso } from '#core/time.ts'
import type { App, Deps } from '../deps.ts'
import { chooseFormat } from '../formats/format.ts'
import {
  columnsQuery,
  exchangeQuery,
  formatQuery,
  query,
  rangeShape,
  resolveRange,
  symbolPath,
} from '../schemas/parameters.ts'
import { pageSchema } from '../schemas/row-schema.ts'
import { heldBytes } from '../tables/page-size.ts'
import { cursorKinds, type RangeTable } from '../tables/table.ts'
import { RANGE_TABLES } from '../tables/tables.ts'
import { SOURCE } from '../telemetry/request-facts.ts'
import { page, problems } from './answers.ts'
import { nextPath } from './paging.ts'
import { rangeAnswer } from './range-answer.ts'

export function rangeRoutes(app: App, deps: Deps): void {
  for (const table of RANGE_TABLES) addRoute(app, deps, table)
}

const LONG_POLL =
  ' With `?wait=SECONDS` (0 to 60) and no other parameters than `exchange` the answer comes as soon ' +
  'as there are new trades; follow its `next`. The live stream is at `/v1/live`.'

export function routeOf(table: RangeTable) {
  const order = table.identity.join(', ')
  const span_s = table.default_span_us / 1_000_000
  return createRoute({
    method: 'get',
    path: `/v1/${table.name}/{symbol}`,
    operationId: `list${table.row_name}s`,
    tags: ['market data'],
    summary: table.summary,
    description:
      `Rows in a time range, ordered by ${order}. ` +
      `\`to\` defaults to now, \`from\` to ${span_s} seconds before \`to\`. ` +
      'A page is limited to about 2 MiB, so it may have fewer rows than `limit`: follow `next`.' +
      (table.name === 'trades' ? LONG_POLL + WHOLE_TIMES : ''),
    request: {
      params: symbolPath,
      query: query({
        exchange: exchangeQuery,
        ...rangeShape(cursorKinds(table)),
        columns: columnsQuery(table.columns.map(({ name }) => name)),
        format: formatQuery,
      }),
    },
    responses: {
      200: page(pageSchema(table), 'A page of rows.'),
      ...problems(400, 404, 406, 502, 503),
    },
  })
}

const WHOLE_TIMES =
  ' As Arrow, a page never ends between trades of one ts_exchange, so a chart can fold each page by ' +
  'itself; the Link header (rel="next") names the next page.'

function addRoute(app: App, deps: Deps, table: RangeTable): void {
  app.openapi(routeOf(table), async (c) => {
    const { symbol } = c.req.valid('param')
    const asked = c.req.valid('query')
    const format = chooseFormat(c as Context, asked.format)
    const { from, to } = resolveRange(asked, deps.now(), table.default_span_us)
    const instrument = await deps.findArchived(symbol, asked.exchange ?? null)
    const { limit, cursor: after = null } = asked
    const columns =
      asked.columns === undefined
        ? table.columns
        : asked.columns.map((name) => table.columns.find((column) => column.name === name)!)
    return deps.memory.run(heldBytes(columns, limit), async () => {
      const { id: symbol_id, exchange } = instrument
      const found = await deps.readRange({
        table,
        columns,
        symbol_id,
        exchange,
        symbol,
        from,
        to,
        after,
        limit,
        whole_times: format === 'arrow' && table.name === 'trades',
      })
      ;(c as Context).set(SOURCE, found.source)
      const bounds = { from: toIso(from), to: toIso(to) }
      const next = nextPath(c.req.path, found.next, {
        exchange,
        ...bounds,
        limit,
        columns: asked.columns?.join(','),
        format: asked.format,
      })
      return rangeAnswer(c as Context, deps.memory, format, {
        head: { exchange, symbol, ...bounds },
        rows: found.rows,
        columns,
        decimals: instrument,
        next,
        version: found.archive_version,
      })
    })
  })
}
