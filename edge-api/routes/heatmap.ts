/** GET /v1/heatmap/{symbol} : resting liquidity over time, by price bin. */
import { createRoute, z } from '@hono/zod-openapi'
import { decimalText, type Decimals } from '#core/decimal-text.ts'
import { decimalOf, times } from '#core/decimals.ts'
import { HOUR_US, micros, type Micros, SECOND_US, toIso } from '#core/time.ts'
import { cacheLatest, type App, type Deps } from '../deps.ts'
import { badParameters, Problem } from '../problem.ts'
import type { HeatCell, HeatRow } from '../range/read-heatmap.ts'
import {
  boundQuery,
  exchangeQuery,
  percentQuery,
  query,
  resolveRange,
  symbolPath,
  timeQuery,
  wordQuery,
} from '../schemas/parameters.ts'
import { count, decimal, instrumentShape, pageShape, time } from '../schemas/schema-parts.ts'
import { PAGE_BYTES_MAX } from '../tables/page-size.ts'
import { json, problems } from './answers.ts'

const INTERVALS = ['1s', '10s', '1m', '5m'] as const
const INTERVAL_US: { readonly [interval in (typeof INTERVALS)[number]]: number } = {
  '1s': SECOND_US,
  '10s': 10 * SECOND_US,
  '1m': 60 * SECOND_US,
  '5m': 300 * SECOND_US,
}
const SOURCES = ['topn', 'book'] as const
const ROWS_MAX = 2_000
const BOOK_SPAN_US = HOUR_US
const BIN_MAX = 100_000
const RANGE_DEFAULT = 1
const DEFAULT_ROWS = 300
/** Rows, cells and text of the largest answer. */
const HELD_BYTES = 6 * PAGE_BYTES_MAX

const cell = z.tuple([
  decimal('lowest price of the bin [quote asset]', '61800.00'),
  decimal('resting quantity [base asset]', '12.500'),
])
const cells = z.array(cell).readonly()

const Heatmap = z
  .object({
    ...instrumentShape,
    interval: z.enum(INTERVALS),
    source: z.enum(SOURCES),
    tick_size: decimal('smallest price step [quote asset]', '0.10'),
    bin_ticks: count.openapi({ description: 'Width of a bin [ticks].' }),
    from: pageShape.from,
    to: pageShape.to,
    row_count: pageShape.row_count,
    rows: z.array(
      z
        .object({
          ts: time('Start of the interval.'),
          bid: cells.openapi({ description: 'Ascending by price.' }),
          ask: cells.openapi({ description: 'Ascending by price.' }),
        })
        .openapi('HeatmapRow'),
    ),
  })
  .openapi('Heatmap')

export const route = createRoute({
  method: 'get',
  path: '/v1/heatmap/{symbol}',
  operationId: 'getHeatmap',
  tags: ['market data'],
  summary: 'Resting liquidity of a symbol over time, by price bin',
  description:
    'What the book showed last in each interval, not a mean over it. `topn`: the last row of ' +
    'orderbook_topn in the interval, the best ten levels per side. `book`: the whole recorded ' +
    'book after every update before the end of the interval, within `range` percent of the mid; ' +
    'at most an hour. A bin holds the prices [price, price + bin x tick size), and quantities are ' +
    'exact sums. An interval in which the book is not known has no row. `from` is rounded down ' +
    `and \`to\` up to the interval; at most ${ROWS_MAX} intervals. \`to\` defaults to now, ` +
    `\`from\` to ${DEFAULT_ROWS} intervals before \`to\`. 400 heatmap_too_large names the limit ` +
    'that a request exceeds.',
  request: {
    params: symbolPath,
    query: query({
      exchange: exchangeQuery,
      from: timeQuery('Start of the range, inclusive.'),
      to: timeQuery('End of the range, exclusive.'),
      interval: wordQuery(INTERVALS, '1m'),
      source: wordQuery(SOURCES, 'topn'),
      bin: boundQuery(BIN_MAX, 'Width of a bin in ticks; default 1.'),
      range: percentQuery(
        `With \`source=book\`: levels within this distance of the mid [%]; default ${RANGE_DEFAULT}.`,
      ),
    }),
  },
  responses: { 200: json(Heatmap, 'The heatmap.'), ...problems(400, 404, 502, 503) },
})

export function heatmapRoutes(app: App, deps: Deps): void {
  app.openapi(route, async (c) => {
    const { symbol } = c.req.valid('param')
    const asked = c.req.valid('query')
    const { interval, source, bin = 1, range = RANGE_DEFAULT } = asked
    const interval_us = INTERVAL_US[interval]
    const span = resolveRange(asked, deps.now(), DEFAULT_ROWS * interval_us)
    const from = micros(Math.floor(span.from / interval_us) * interval_us)
    const to = micros(Math.ceil(span.to / interval_us) * interval_us)
    refuseLong(from, to, interval_us, source)
    const instrument = await deps.findArchived(symbol, asked.exchange ?? null)
    const { exchange, id: symbol_id, tick_size } = instrument
    if (tick_size === null) throw noTickSize(symbol)
    const step = times(decimalOf(tick_size), { units: bin, digits: 0 })
    const wanted = { symbol_id, exchange, symbol, from, to, interval_us, step }
    return deps.memory.run(HELD_BYTES, async () => {
      const rows =
        source === 'topn'
          ? await deps.readTopHeatmap(wanted)
          : await deps.readBookHeatmap(instrument, wanted, range)
      cacheLatest(c)
      return c.json(
        {
          exchange,
          symbol,
          interval,
          source,
          tick_size: decimalText(tick_size, instrument.price_decimals),
          bin_ticks: bin,
          from: toIso(from),
          to: toIso(to),
          row_count: rows.length,
          rows: rows.map((row) => rowJson(row, instrument)),
        },
        200,
      )
    })
  })
}

function refuseLong(
  from: Micros,
  to: Micros,
  interval_us: number,
  source: (typeof SOURCES)[number],
): void {
  const rows_us = ROWS_MAX * interval_us
  const most_us = source === 'book' ? Math.min(rows_us, BOOK_SPAN_US) : rows_us
  if (to - from <= most_us) return
  const allowed = `at most ${most_us / SECOND_US} seconds before to (${toIso(to)})`
  throw badParameters([{ parameter: 'from', found: toIso(from), allowed }])
}

function rowJson(
  { ts, bid, ask }: HeatRow,
  { price_decimals, qty_decimals }: Decimals,
): {
  readonly ts: string
  readonly bid: readonly [string, string][]
  readonly ask: readonly [string, string][]
} {
  const texts = (of_side: readonly HeatCell[]): readonly [string, string][] =>
    of_side.map(([price, qty]) => [
      decimalText(price, price_decimals),
      decimalText(qty, qty_decimals),
    ])
  return { ts: toIso(ts), bid: texts(bid), ask: texts(ask) }
}

function noTickSize(symbol: string): Problem {
  const detail = `The listing of ${symbol} was not read yet, so the width of a tick is not known.`
  return new Problem(404, 'no_tick_size', 'The tick size is unknown.', detail)
}
