/** GET /v1/features/{symbol} : features of a symbol in a time range, read from the datasets. */
import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { DAY_US, dayRange, parseDay, toIso } from '#core/time.ts'
import type { App, Deps } from '../deps.ts'
import { chooseFormat } from '../formats/format.ts'
import {
  exchangeQuery,
  formatQuery,
  nameListQuery,
  query,
  rangeShape,
  resolveRange,
  symbolPath,
  wordQuery,
} from '../schemas/parameters.ts'
import { instrumentShape, pageShape } from '../schemas/schema-parts.ts'
import { heldBytes } from '../tables/page-size.ts'
import { page, problems } from './answers.ts'
import { unknownDataset } from './dataset-lookup.ts'
import { nextPath } from './paging.ts'
import { rangeAnswer } from './range-answer.ts'

const DATASETS = ['features_1s', 'features_100ms', 'labels_1s'] as const

const FeaturePage = z
  .object({
    ...instrumentShape,
    dataset: z.enum(DATASETS),
    ...pageShape,
    rows: z
      .array(z.record(z.string(), z.union([z.string(), z.number(), z.null()])))
      .openapi({ description: 'Columns as in the manifest of the dataset. ts is a time.' }),
  })
  .openapi('FeaturePage')

export const route = createRoute({
  method: 'get',
  path: '/v1/features/{symbol}',
  operationId: 'listFeatures',
  tags: ['market data'],
  summary: 'Features of a symbol, from the datasets',
  description:
    'The manifest of the dataset describes the columns. A day is available once its dataset is ' +
    'published. Without `from` and `to` the range is the newest complete day; with only one of ' +
    'them it is 24 hours.',
  request: {
    params: symbolPath,
    query: query({
      exchange: exchangeQuery,
      dataset: wordQuery(DATASETS, 'features_1s'),
      ...rangeShape(['time']),
      columns: nameListQuery,
      format: formatQuery,
    }),
  },
  responses: {
    200: page(FeaturePage, 'A page of rows.'),
    ...problems(400, 404, 406, 502, 503),
  },
})

export function featureRoutes(app: App, deps: Deps): void {
  app.openapi(route, async (c) => {
    const { symbol } = c.req.valid('param')
    const asked = c.req.valid('query')
    const { dataset, limit, cursor: after = null, columns } = asked
    const format = chooseFormat(c as Context, asked.format)
    const { from, to } =
      (asked.from ?? asked.to) === undefined
        ? await newestDay(deps, dataset)
        : resolveRange(asked, deps.now(), DAY_US)
    const { exchange } = await deps.findArchived(symbol, asked.exchange ?? null)
    return deps.memory.run(heldBytes(numbers(columns), limit), async () => {
      const found = await deps.readDataset({
        dataset,
        exchange,
        symbol,
        from,
        to,
        after,
        limit,
        columns,
      })
      if (found === undefined) throw unknownDataset(dataset)
      const bounds = { from: toIso(from), to: toIso(to) }
      const next = nextPath(c.req.path, found.next, {
        exchange,
        dataset,
        ...bounds,
        limit,
        columns: columns?.join(','),
        format: asked.format,
      })
      return rangeAnswer(c as Context, deps.memory, format, {
        head: { exchange, symbol, dataset, ...bounds },
        rows: found.rows,
        columns: found.columns,
        decimals: { price_decimals: null, qty_decimals: null },
        next,
        version: found.version,
      })
    })
  })
}

/** Columns to estimate memory from. If none are named: 100, as many as the widest dataset has. */
function numbers(names: readonly string[] | undefined) {
  const of_all = Array.from({ length: 100 }, (_, i) => `feature_${i}`)
  return (names ?? of_all).map((name) => ({ name, kind: 'number' as const }))
}

async function newestDay(deps: Deps, dataset: string) {
  const latest = await deps.datasets.latest(dataset)
  if (latest === undefined) throw unknownDataset(dataset)
  return dayRange(parseDay(latest.date)!)
}
