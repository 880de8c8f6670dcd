/**
 * GET /v1/clusters/{symbol} and /v1/volume-profile/{symbol}: what was traded at each price. The
 * cluster engine computes; this route checks parameters, names the gaps and pages.
 */
import { createRoute } from '@hono/zod-openapi'
import type { Context, TypedResponse } from 'hono'
import { INTERVAL_US, INTERVALS } from '#core/clusters/intervals.ts'
import { DAY_US, HOUR_US, type Micros, toIso } from '#core/time.ts'
import { entityTag } from '../cache/entity-tag.ts'
import type { ClusterEngine } from '../clusters/cluster-engine.ts'
import { cacheFor, cacheLatest, type App, type Deps } from '../deps.ts'
import { Utf8Text } from '../formats/utf8.ts'
import { bodyOf } from '../memory/body-parts.ts'
import { ANSWER_BYTES } from '../memory/send-body.ts'
import { badParameters, Problem } from '../problem.ts'
import { ClusterPage, VolumeProfile } from '../schemas/cluster-schema.ts'
import {
  binQuery,
  exchangeQuery,
  limitQuery,
  query,
  rangeShape,
  resolveRange,
  symbolPath,
  timeQuery,
  wordQuery,
} from '../schemas/parameters.ts'
import { PAGE_BYTES_MAX } from '../tables/page-size.ts'
import { SOURCE } from '../telemetry/request-facts.ts'
import { json, problems } from './answers.ts'
import { nextPath } from './paging.ts'

const LIMIT_MAX = 1_500
const DEFAULT_COUNT = 100
const PROFILE_MAX_US = 14 * DAY_US
const OPEN_GAPS_MAX = 100
/** The engine's body, the answer's text, and the body that is sent. */
const HELD_BYTES = 2 * PAGE_BYTES_MAX
/** Late trades may change a final bar; callers see the change within a minute. */
const FINAL_S = 60

const BINS =
  '`bin` is the number of ticks in a bin. With `auto` it follows the market: the largest of 1, 2, ' +
  '5, 10, 20, 50 ... ticks with which '

export const route = createRoute({
  method: 'get',
  path: '/v1/clusters/{symbol}',
  operationId: 'listClusters',
  tags: ['market data'],
  summary: 'Footprint bars of a symbol: what was traded at each price, computed from its trades',
  description:
    'Bars that begin in the range. An interval without trades has no bar; the newest bar may still ' +
    `be open. ${BINS}a bar of average true range (Wilder, 14 bars; of the 140 intervals before the ` +
    'bar, so that a bin never depends on its own future) has at least 20 bins. A page covers at most ' +
    '14 days and about 2 MiB, so it may have fewer bars than `limit`, or none: follow `next`. `to` ' +
    `defaults to now, \`from\` to ${DEFAULT_COUNT} intervals before \`to\`. A range that nobody read ` +
    'before is computed first: if that takes long, the answer is a 503 with Retry-After. Answers ' +
    'are JSON.',
  request: {
    params: symbolPath,
    query: query({
      exchange: exchangeQuery,
      interval: wordQuery(INTERVALS, '1m'),
      bin: binQuery,
      ...rangeShape(['time']),
      limit: limitQuery(LIMIT_MAX, DEFAULT_COUNT),
      order: wordQuery(['asc', 'desc'], 'asc'),
    }),
  },
  responses: { 200: json(ClusterPage, 'A page of bars.'), ...problems(400, 404, 502, 503) },
})

export const profile_route = createRoute({
  method: 'get',
  path: '/v1/volume-profile/{symbol}',
  operationId: 'getVolumeProfile',
  tags: ['market data'],
  summary: 'Volume profile of a symbol: what was traded at each price in a time range',
  description:
    'Trades of whole minutes: `from` is rounded down and `to` up. `to` defaults to now, `from` to an ' +
    `hour before \`to\`; a profile covers at most 14 days. ${BINS}the range has at least 100 bins.`,
  request: {
    params: symbolPath,
    query: query({
      exchange: exchangeQuery,
      bin: binQuery,
      from: timeQuery('Start of the range, inclusive.'),
      to: timeQuery('End of the range, exclusive.'),
    }),
  },
  responses: { 200: json(VolumeProfile, 'The profile.'), ...problems(400, 404, 502, 503) },
})

export function clusterRoutes(app: App, deps: Deps): void {
  app.openapi(route, async (c) => {
    const { symbol } = c.req.valid('param')
    const asked = c.req.valid('query')
    const { interval, bin, limit, order, cursor } = asked
    const engine = requireEngine(deps)
    const default_us = DEFAULT_COUNT * INTERVAL_US[interval]
    const { from, to } = resolveRange(
      order === 'asc' ? asked : { ...asked, cursor: undefined },
      deps.now(),
      default_us,
    )
    const { exchange } = await deps.findArchived(symbol, asked.exchange ?? null)
    return deps.memory.run(HELD_BYTES, async () => {
      const wanted = { exchange, symbol, interval, bin, from, to, order, limit, after: cursor?.[0] }
      const [found, open_gaps] = await Promise.all([
        engine.bars(wanted),
        openGaps(deps, exchange, symbol, from, to),
      ])
      const bounds = { from: toIso(from), to: toIso(to) }
      const parameters = { exchange, interval, bin, ...bounds, limit, order }
      const next = nextPath(c.req.path, found.next_ts === null ? null : [found.next_ts], parameters)
      const { row_count, rows, is_final } = found
      const head = { exchange, symbol, interval, ...bounds, row_count, next, open_gaps }
      if (next !== null) c.header('link', `<${next}>; rel="next"`)
      return send(c as Context, deps, joined(head, '"rows":', rows), is_final)
    })
  })

  app.openapi(profile_route, async (c) => {
    const { symbol } = c.req.valid('param')
    const asked = c.req.valid('query')
    const engine = requireEngine(deps)
    const { from, to } = resolveRange(asked, deps.now(), HOUR_US)
    if (to - from > PROFILE_MAX_US) {
      const allowed = `at most 14 days before to (${toIso(to)})`
      throw badParameters([{ parameter: 'from', found: toIso(from), allowed }])
    }
    const { exchange } = await deps.findArchived(symbol, asked.exchange ?? null)
    return deps.memory.run(HELD_BYTES, async () => {
      const [found, open_gaps] = await Promise.all([
        engine.profile({ exchange, symbol, bin: asked.bin, from, to }),
        openGaps(deps, exchange, symbol, from, to),
      ])
      // The engine's object continues this one.
      const rest = found.body.subarray(1, -1)
      const body = joined({ exchange, symbol, open_gaps }, '', rest)
      return send(c as Context, deps, body, found.is_final)
    })
  })
}

function requireEngine({ clusters }: Deps): ClusterEngine {
  if (clusters !== undefined) return clusters
  const detail = 'This installation runs no cluster engine (CLUSTERS_URL).'
  throw new Problem(404, 'no_cluster_engine', 'There are no clusters.', detail)
}

async function openGaps(deps: Deps, exchange: string, symbol: string, from: Micros, to: Micros) {
  const gaps = await deps.gaps({
    from,
    to,
    exchange,
    symbol,
    channel: 'trades',
    open: true,
    ended: null,
    after: null,
    limit: OPEN_GAPS_MAX,
  })
  return gaps.map(({ from_ts, to_ts, cause }) => ({
    from_ts: toIso(from_ts),
    to_ts: to_ts === null ? null : toIso(to_ts),
    cause,
  }))
}

/** The object `head`, continued by JSON text that is encoded already. */
function joined(head: object, name: string, rest: Uint8Array): Uint8Array<ArrayBuffer> {
  const text = new Utf8Text()
  text.add(`${JSON.stringify(head).slice(0, -1)},${name}`)
  const begin = text.bytes()
  const body = new Uint8Array(begin.byteLength + rest.byteLength + 1)
  body.set(begin)
  body.set(rest, begin.byteLength)
  body[body.byteLength - 1] = '}'.charCodeAt(0)
  return body
}

/** The type checker cannot look into text: `_data` counts as of every type. */
type Encoded = Response & TypedResponse<never, 200, 'json'>

async function send(
  c: Context,
  deps: Deps,
  body: Uint8Array<ArrayBuffer>,
  is_final: boolean,
): Promise<Encoded> {
  deps.memory.count(body)
  if (is_final) cacheFor(c, FINAL_S)
  else cacheLatest(c)
  c.set(SOURCE, 'clusters')
  c.header('etag', await entityTag('', body))
  c.set(ANSWER_BYTES, body)
  const answer = c.body(bodyOf(body), 200, { 'content-type': 'application/json' })
  return answer as Response as Encoded
}
