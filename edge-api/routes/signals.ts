/** GET /v1/signals/{symbol} : what the footprint and the book of a symbol showed. */
import { createRoute, z } from '@hono/zod-openapi'
import { SIGNAL_INTERVAL_S, SIGNAL_INTERVALS, signalJson } from '#core/signals/row.ts'
import { DETAIL_NAMES, SIGNAL_KINDS } from '#core/signals/signal.ts'
import { DAY_US, toIso } from '#core/time.ts'
import { cacheLatest, type App, type Deps } from '../deps.ts'
import {
  choiceQuery,
  exchangeQuery,
  query,
  rangeShape,
  resolveRange,
  symbolPath,
} from '../schemas/parameters.ts'
import { count, decimal, id, instrumentShape, pageShape, time } from '../schemas/schema-parts.ts'
import { TIME_AND_ID } from '../tables/cursor.ts'
import { listBytes, PAGE_BYTES_MAX } from '../tables/page-size.ts'
import { json, problems } from './answers.ts'
import { nextPath } from './paging.ts'

/** Text of a row. */
const ROW_BYTES = 512
const PAGE_ROWS_MAX = PAGE_BYTES_MAX / ROW_BYTES

const Signal = z
  .object({
    ts: time(
      'When the signal was known, never before: the end of its bar, its trade, or an update.',
    ),
    id: id('Hash of the other values, the same in every rerun.'),
    kind: z.enum(SIGNAL_KINDS),
    interval: z
      .enum(SIGNAL_INTERVALS)
      .nullable()
      .openapi({ description: 'Length of its bar; null if it is not of a bar.' }),
    bar_ts: time('Start of its bar; for walls the second of the book; null for trades.').nullable(),
    side: z
      .enum(['buy', 'sell'])
      .openapi({ description: 'The direction that it speaks for; buy: rising prices.' }),
    price_low: decimal('lowest price that it is about [quote asset]', '61640.00'),
    price_high: decimal('highest price that it is about [quote asset]', '61687.90'),
    strength: z.number().openapi({ description: 'Greater is stronger; its meaning is per kind.' }),
    details: z
      .record(z.string(), z.union([z.string(), z.int()]))
      .openapi({ description: `Some of ${DETAIL_NAMES.join(', ')}; numbers as decimal strings.` }),
    version: count.openapi({ description: 'Version of the definitions.' }),
  })
  .openapi('Signal')

const SignalPage = z
  .object({
    ...instrumentShape,
    from: pageShape.from,
    to: pageShape.to,
    computed_to: time(
      'Signals up to this time are computed. Null: the symbol is not kept up to date, and only ' +
        'days whose dataset `signals` is published have any.',
    ).nullable(),
    row_count: pageShape.row_count,
    next: pageShape.next,
    rows: z.array(Signal),
  })
  .openapi('SignalPage')

export const route = createRoute({
  method: 'get',
  path: '/v1/signals/{symbol}',
  operationId: 'listSignals',
  tags: ['market data'],
  summary: 'Signals of a symbol, from its footprint and its book',
  description:
    'Signals that became known in the range, ordered by (ts, id). docs/signals.md defines each ' +
    'kind, with its parameters and source. A late trade replaces the signals of the bars that it ' +
    'changes. `to` defaults to now, `from` to 24 hours before `to`. A page has at most ' +
    `${PAGE_ROWS_MAX} signals: follow \`next\`.`,
  request: {
    params: symbolPath,
    query: query({
      exchange: exchangeQuery,
      kind: choiceQuery(SIGNAL_KINDS, 'Only signals of this kind.'),
      interval: choiceQuery(SIGNAL_INTERVALS, 'Only signals of bars of this length.'),
      ...rangeShape(TIME_AND_ID),
    }),
  },
  responses: { 200: json(SignalPage, 'A page of signals.'), ...problems(400, 404, 502, 503) },
})

export function signalRoutes(app: App, deps: Deps): void {
  app.openapi(route, async (c) => {
    const { symbol } = c.req.valid('param')
    const asked = c.req.valid('query')
    const { from, to } = resolveRange(asked, deps.now(), DAY_US)
    const instrument = await deps.findArchived(symbol, asked.exchange ?? null)
    const { exchange, id: symbol_id } = instrument
    const { kind, interval, cursor } = asked
    const limit = Math.min(asked.limit, PAGE_ROWS_MAX)
    return deps.memory.run(listBytes(limit, ROW_BYTES), async () => {
      const { rows, next, computed_to } = await deps.readSignals({
        symbol_id,
        exchange,
        symbol,
        from,
        to,
        after: cursor ?? null,
        kind: kind ?? null,
        interval_s: interval === undefined ? null : SIGNAL_INTERVAL_S[interval],
        limit,
      })
      cacheLatest(c)
      const bounds = { from: toIso(from), to: toIso(to) }
      const parameters = { exchange, kind, interval, ...bounds, limit }
      return c.json(
        {
          exchange,
          symbol,
          ...bounds,
          computed_to: computed_to === null ? null : toIso(computed_to),
          row_count: rows.length,
          next: nextPath(c.req.path, next, parameters),
          rows: rows.map((row) => signalJson(row, instrument)),
        },
        200,
      )
    })
  })
}
