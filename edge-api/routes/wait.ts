/**
 * GET /v1/trades/{symbol}?wait=SECONDS : a long poll, for callers that cannot hold a connection. It
 * is answered as soon as there are trades after the cursor, or empty after that time.
 */
import type { Context, MiddlewareHandler } from 'hono'
import { isSymbolName, SYMBOL_RULE } from '#core/symbols.ts'
import type { App, Deps } from '../deps.ts'
import { badParameters, found, type ParameterError, Problem } from '../problem.ts'
import { SOURCE } from '../telemetry/request-facts.ts'

/** Cloudflare ends a request that gets no answer for much longer. */
const WAIT_S_MAX = 60
const KNOWN = ['wait', 'after', 'exchange']

export function waitRoutes(app: App, deps: Deps): void {
  const handle: MiddlewareHandler = async (c, next) => {
    if (c.req.query('wait') === undefined) return next()
    return answer(c, deps)
  }
  app.get('/v1/trades/:symbol', handle)
}

async function answer(c: Context, { live, findInstrument }: Deps): Promise<Response> {
  const symbol = c.req.param('symbol')!
  const { wait, after, exchange } = c.req.query()
  requireParameters(c, symbol)
  if (live === undefined) {
    const detail = 'This installation runs no live server (LIVE_URL), so nothing can be waited for.'
    throw new Problem(404, 'no_live_server', 'There is no live stream.', detail)
  }
  const instrument = await findInstrument(symbol, exchange ?? null)
  const wait_s = Number(wait)
  const wanted = { exchange: instrument.exchange, symbol, after: after ?? null, wait_s }
  c.set(SOURCE, 'live')
  const polled = await live.poll(wanted)
  if (polled.kind === 'refused') {
    throw new Problem(polled.status, polled.code, 'The live stream refuses this.', polled.detail)
  }
  const query = new URLSearchParams({
    exchange: instrument.exchange,
    wait: wait!,
    after: polled.after,
  })
  const { rows } = polled
  c.header('cache-control', 'no-store')
  return c.json({
    exchange: instrument.exchange,
    symbol,
    row_count: rows.length,
    next: `/v1/trades/${encodeURIComponent(symbol)}?${query}`,
    rows,
  })
}

function requireParameters(c: Context, symbol: string): void {
  const { wait = '', after } = c.req.query()
  const errors: ParameterError[] = []
  const refuse = (parameter: string, value: string | undefined, allowed: string): void =>
    void errors.push({ parameter, found: found(value), allowed })
  if (!isSymbolName(symbol)) refuse('symbol', symbol, `a symbol name of ${SYMBOL_RULE}`)
  if (!/^\d{1,2}$/.test(wait) || Number(wait) > WAIT_S_MAX) {
    refuse('wait', wait, `a whole number of seconds from 0 to ${WAIT_S_MAX}`)
  }
  if (after !== undefined && !/^[0-9a-f-]{1,36}:\d{1,16}$/.test(after)) {
    refuse('after', after, "the cursor in an earlier answer's next")
  }
  for (const name of Object.keys(c.req.queries())) {
    if (KNOWN.includes(name)) continue
    refuse(name, c.req.query(name), `removed: with wait there are only ${KNOWN.join(', ')}`)
  }
  if (errors.length > 0) throw badParameters(errors)
}
