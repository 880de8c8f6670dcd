/** GET /v1/<table>/{symbol} : rows of a symbol in a time range, one route per table. */
import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { SECOND_US, toIso } from '#core/time.ts'
import type { App, Deps } from '../deps.ts'
import { chooseFormat } from '../formats/format.ts'
import { badParameters } from '../problem.ts'
import {
  choiceQuery,
  columnsQuery,
  exchangeQuery,
  formatQuery,
  query,
  rangeShape,
  resolveRange,
  symbolPath,
  wordQuery,
} from '../schemas/parameters.ts'
import { pageSchema } from '../schemas/row-schema.ts'
import { heldBytes } from '../tables/page-size.ts'
import { quote_before_columns } from '../tables/quote-before.ts'
import { cursorKinds, type RangeColumn, type RangeTable } from '../tables/table.ts'
import { RANGE_TABLES, trades } from '../tables/tables.ts'
import { SOURCE } from '../telemetry/request-facts.ts'
import { page, problems } from './answers.ts'
import { nextPath } from './paging.ts'
import { rangeAnswer } from './range-answer.ts'

export function rangeRoutes(app: App, deps: Deps): void {
  for (const table of RANGE_TABLES) addRoute(app, deps, table)
}

const withQuery = choiceQuery(['quote'], 'Adds the quote before each trade.')

const LONG_POLL =
  ' With `?wait=SECONDS` (0 to 60) and no other parameters than `exchange` the answer comes as soon ' +
  'as there are new trades; follow its `next`. The live stream is at `/v1/live`.'

export function routeOf(table: RangeTable) {
  const order = table.identity.join(', ')
  const intervals = intervalNames(table)
  const span =
    intervals === undefined
      ? `${table.default_span_us / 1_000_000} seconds`
      : `${DEFAULT_COUNT} intervals`
  return createRoute({
    method: 'get',
    path: `/v1/${table.name}/{symbol}`,
    operationId: `list${table.row_name}s`,
    tags: ['market data'],
    summary: table.summary,
    description:
      `Rows in a time range, ordered by ${order}. ` +
      `\`to\` defaults to now, \`from\` to ${span} before \`to\`. ` +
      'A page is limited to about 2 MiB, so it may have fewer rows than `limit`: follow `next`.' +
      (table === trades ? LONG_POLL + WHOLE_TIMES + WITH_QUOTE : '') +
      (table.note ?? ''),
    request: {
      params: symbolPath,
      query: query({
        exchange: exchangeQuery,
        ...(intervals === undefined ? {} : { interval: wordQuery(intervals, intervals[0]) }),
        ...rangeShape(cursorKinds(table)),
        columns: columnsQuery(columnsOf(table).map(({ name }) => name)),
        ...(table === trades ? { with: withQuery } : {}),
        format: formatQuery,
      }),
    },
    responses: {
      200: page(
        pageSchema(
          { ...table, columns: columnsOf(table) },
          intervals === undefined ? {} : { interval: z.enum(intervals) },
        ),
        'A page of rows.',
      ),
      ...problems(400, 404, 406, 502, 503),
    },
  })
}

function intervalNames({ intervals }: RangeTable): [string, ...string[]] | undefined {
  return intervals && (Object.keys(intervals) as [string, ...string[]])
}

const DEFAULT_COUNT = 100

const WHOLE_TIMES =
  ' As Arrow, a page never ends between trades of one ts_exchange, so a chart can fold each page by ' +
  'itself; the Link header (rel="next") names the next page.'

const WITH_QUOTE =
  ' With `with=quote` each trade also has the quote before it, in columns that begin with quote_: ' +
  'the newest one with a smaller ts_exchange than the trade, at most an hour older; without one ' +
  "they are null. A quote of the trade's own time never counts, because the trade may have caused " +
  'it; among quotes of one time, the one with the largest update_id counts. Where an exchange gives ' +
  'quotes no time (ts_exchange_source in /v1/symbols), their ts_exchange is the arrival here, which ' +
  'is later than the change of the book. Such a page has at most 1000 rows and eight hours.'

/** The table's columns, and those that the request can add to it. */
function columnsOf(table: RangeTable): readonly RangeColumn[] {
  return table === trades ? [...table.columns, ...quote_before_columns] : table.columns
}

function isOfQuote(column: RangeColumn): boolean {
  return quote_before_columns.includes(column)
}

const WITH_QUOTE_LIMIT = 1_000

/** Throws a 400 for what can only be asked with, or without, the quotes. */
function checkWithQuote(
  has_quotes: boolean,
  { limit, columns }: { readonly limit: number; readonly columns?: readonly string[] | undefined },
): void {
  const of_quotes = quote_before_columns.map(({ name }) => name)
  const named = columns?.filter((name) => of_quotes.includes(name)) ?? []
  if (!has_quotes && named.length > 0) {
    const allowed = `used with with=quote, if it has ${named.join(', ')}`
    throw badParameters([{ parameter: 'columns', found: columns!.join(','), allowed }])
  }
  if (has_quotes && limit > WITH_QUOTE_LIMIT) {
    const allowed = `at most ${WITH_QUOTE_LIMIT} with with=quote`
    throw badParameters([{ parameter: 'limit', found: String(limit), allowed }])
  }
}

function addRoute(app: App, deps: Deps, table: RangeTable): void {
  app.openapi(routeOf(table), async (c) => {
    const { symbol } = c.req.valid('param')
    const asked = c.req.valid('query')
    const format = chooseFormat(c as Context, asked.format)
    const { interval, with: joined } = asked as {
      readonly interval?: string
      readonly with?: 'quote'
    }
    const interval_s = interval === undefined ? undefined : table.intervals![interval]!
    const span_us =
      interval_s === undefined ? table.default_span_us : DEFAULT_COUNT * interval_s * SECOND_US
    const { from, to } = resolveRange(asked, deps.now(), span_us)
    const instrument = await deps.findArchived(symbol, asked.exchange ?? null)
    const { limit, cursor: after = null } = asked
    const has_quotes = joined !== undefined
    checkWithQuote(has_quotes, asked)
    const all = columnsOf(table)
    const columns =
      asked.columns === undefined
        ? all.filter((column) => has_quotes || !isOfQuote(column))
        : asked.columns.map((name) => all.find((column) => column.name === name)!)
    const read = has_quotes ? deps.readTradesWithQuotes : deps.readRange
    return deps.memory.run(heldBytes(columns, limit), async () => {
      const { id: symbol_id, exchange } = instrument
      const found = await read({
        table,
        columns: columns.filter((column) => !isOfQuote(column)),
        symbol_id,
        exchange,
        symbol,
        interval_s,
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
        interval,
        ...bounds,
        limit,
        columns: asked.columns?.join(','),
        with: joined,
        format: asked.format,
      })
      return rangeAnswer(c as Context, deps.memory, format, {
        head: { exchange, symbol, ...(interval === undefined ? {} : { interval }), ...bounds },
        rows: found.rows,
        columns,
        decimals: instrument,
        next,
        version: found.archive_version,
      })
    })
  })
}
