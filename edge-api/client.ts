/**
 * A typed client of this API for TypeScript programs: hono/client over the route definitions, so
 * its parameters and answers are those of the OpenAPI document.
 */
import type { z } from '@hono/zod-openapi'
import type { Hono } from 'hono'
import { hc } from 'hono/client'
import type { manifestRoute } from './routes/dataset-files.ts'
import type * as datasets from './routes/datasets.ts'
import type { route as book } from './routes/book.ts'
import type { route as candles } from './routes/candles.ts'
import type { route as coverage } from './routes/coverage.ts'
import type { route as features } from './routes/features.ts'
import type { route as gaps } from './routes/gaps.ts'
import type { route as health } from './routes/health.ts'
import type * as jobs from './routes/jobs.ts'
import type * as prices from './routes/prices.ts'
import type { latest } from './routes/quotes.ts'
import type { routeOf } from './routes/ranges.ts'
import type { route as symbols } from './routes/symbols.ts'
import type { route as validation } from './routes/validation.ts'

interface Definition {
  readonly path: string
  readonly request?: object
  readonly responses: object
}

/** `/v1/book/{symbol}` in Hono's syntax. */
type HonoPath<Path extends string> = Path extends `${infer Before}{${infer Name}}${infer After}`
  ? `${Before}:${Name}${HonoPath<After>}`
  : Path

type Part<R, Key extends string> = R extends { readonly [K in Key]: infer Value } ? Value : never
type Input<S> = S extends z.ZodType ? z.input<S> : never
type Request<R extends Definition> = Part<R, 'request'>
type QueryOf<R extends Definition> = [Part<Request<R>, 'query'>] extends [never]
  ? object
  : { readonly query: Input<Part<Request<R>, 'query'>> }
type ParamOf<R extends Definition> = [Part<Request<R>, 'params'>] extends [never]
  ? object
  : { readonly param: Input<Part<Request<R>, 'params'>> }

type JsonOf<R extends Definition> = R['responses'] extends {
  readonly 200: { readonly content: { readonly 'application/json': { readonly schema: infer S } } }
}
  ? S extends z.ZodType
    ? z.output<S>
    : never
  : never

type Get<R extends Definition> = {
  readonly $get: {
    readonly input: ParamOf<R> & QueryOf<R>
    readonly output: JsonOf<R>
    readonly outputFormat: 'json'
    readonly status: 200
  }
}

type At<R extends Definition> = { readonly [Path in HonoPath<R['path']>]: Get<R> }

/** The range tables. Their routes are declared in a loop, so their paths are listed here. */
type Ranges = {
  readonly [
    Name in
      | 'quotes'
      | 'trades'
      | 'depth'
      | 'mark-price'
      | 'liquidations'
      | 'orderbook-topn'
      | 'market-data-1s' as `/v1/${Name}/:symbol`
  ]: Get<ReturnType<typeof routeOf>>
}

type Api = Ranges &
  At<typeof symbols> &
  At<typeof latest> &
  At<typeof candles> &
  At<typeof features> &
  At<typeof book> &
  At<typeof gaps> &
  At<typeof coverage> &
  At<typeof prices.pricesRoute> &
  At<typeof prices.latestRoute> &
  At<typeof prices.filterRoute> &
  At<typeof prices.statsRoute> &
  At<typeof jobs.list> &
  At<typeof jobs.log> &
  At<typeof validation> &
  At<typeof datasets.list> &
  At<typeof datasets.dates> &
  At<typeof datasets.date> &
  At<typeof manifestRoute> &
  At<typeof health>

type ApiApp = Hono<object, Api>

/** `client.v1.quotes[':symbol'].latest.$get({ param: { symbol: 'BTCUSDT' }, query: {} })` */
export function createClient(base_url: string, token?: string) {
  const headers: Record<string, string> =
    token === undefined ? {} : { authorization: `Bearer ${token}` }
  return hc<ApiApp>(base_url, { headers })
}
