/**
 * The HTTP side of the exchange server: Binance's REST API with weights and faults, Deribit's under
 * /api/v2, Bybit's under /v5, and the control API under /_exchange, which answers loopback only.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { describeError, OperatorError } from '#core/errors.ts'
import { answerBybit } from './bybit/rest.ts'
import { createDeribitRest } from './deribit/rest.ts'
import { parseFaultRequest, type FaultRequest } from './faults/spec.ts'
import type { FaultDesk } from './faults/desk.ts'
import type { Ledger } from './ledger.ts'
import { RestError } from './protocol/rest-errors.ts'
import { WeightMeter, type WeightLimits } from './protocol/weights.ts'
import { asksForMicroseconds, inMicroseconds } from './protocol/time-unit.ts'
import type { RestSource, Source } from './source.ts'
import type { Venue } from './venue.ts'

/** The operations of the control API. */
export interface Controls {
  ledger(): Ledger
  status(): unknown
  startReplay(): void
  applyFaults(request: FaultRequest): void
}

const CONTROL_BODY_BYTES_MAX = 256 * 1024

export function createRequestHandler(
  source: Source,
  venue: Venue,
  faults: FaultDesk,
  weight_limits: WeightLimits,
  controls: Controls,
  nowMs: () => number,
): (request: IncomingMessage, response: ServerResponse) => void {
  const meter = new WeightMeter(weight_limits)
  const answerDeribit = createDeribitRest(source)
  return (request, response) => {
    const url = URL.parse(request.url ?? '', 'http://exchange')
    if (url === null) {
      return answer(response, 400, { code: -1100, msg: 'Illegal characters found.' })
    }
    if (url.pathname.startsWith('/_exchange/')) {
      void answerControl(request, response, url.pathname, controls)
      return
    }
    const refusal = faults.refusal('rest', url.pathname)
    if (refusal !== undefined) {
      if (refusal.retry_after_s !== undefined) {
        response.setHeader('retry-after', refusal.retry_after_s)
      }
      return answer(response, refusal.status, { code: -1003, msg: 'Way too many requests.' })
    }
    const deribit = answerDeribit(url)
    if (deribit !== undefined) return send(response, deribit.status, deribit.body)
    const bybit = answerBybit(url, source.rest)
    if (bybit !== undefined) return send(response, bybit.status, bybit.body)
    const market = { rest: source.rest, venue, meter, ...weight_limits }
    answerMarket(request, response, url, market, nowMs())
  }
}

interface MarketApi extends Pick<WeightLimits, 'weight_per_minute_max'> {
  readonly rest: RestSource
  readonly venue: Venue
  readonly meter: WeightMeter
}

function answerMarket(
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
  { rest, venue, meter, weight_per_minute_max }: MarketApi,
  now_ms: number,
): void {
  const found = venue.answerRest(url.pathname, url.searchParams, rest, weight_per_minute_max)
  if (found === undefined || request.method !== 'GET') {
    return answer(response, found === undefined ? 404 : 405, {
      code: -1000,
      msg: 'No such endpoint.',
    })
  }
  const verdict = meter.spend(found.weight, now_ms)
  response.setHeader('x-mbx-used-weight-1m', verdict.used_weight)
  if (verdict.kind === 'refused') {
    response.setHeader('retry-after', verdict.retry_after_s)
    const msg =
      verdict.status === 429
        ? `Too many requests; current limit is ${weight_per_minute_max} request weight per 1 MINUTE.`
        : `Way too many requests; IP banned until ${now_ms + verdict.retry_after_s * 1_000}.`
    return answer(response, verdict.status, { code: -1003, msg })
  }
  try {
    const body = JSON.stringify(found.body())
    const unit = request.headers['x-mbx-time-unit']
    const is_fine = venue.has_microseconds && asksForMicroseconds(String(unit ?? '')) === true
    send(response, 200, is_fine ? inMicroseconds(body) : body)
  } catch (error) {
    if (!(error instanceof RestError)) throw error
    answer(response, error.status, { code: error.code, msg: error.message })
  }
}

async function answerControl(
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  controls: Controls,
): Promise<void> {
  if (!isLoopback(request.socket.remoteAddress)) {
    return answer(response, 403, { error: 'The control API answers loopback only.' })
  }
  try {
    switch (`${request.method} ${path}`) {
      case 'GET /_exchange/ledger':
        return answer(response, 200, controls.ledger())
      case 'GET /_exchange/status':
        return answer(response, 200, controls.status())
      case 'POST /_exchange/replay/start':
        controls.startReplay()
        return answer(response, 200, controls.status())
      case 'POST /_exchange/faults':
        controls.applyFaults(parseFaultRequest(await readJson(request)))
        return answer(response, 200, controls.status())
      default:
        return answer(response, 404, { error: `Unknown request: ${request.method} ${path}.` })
    }
  } catch (error) {
    const code = error instanceof OperatorError ? error.code : 'internal'
    answer(response, CONTROL_STATUS[code] ?? 500, { code, error: describeError(error) })
  }
}

const CONTROL_STATUS: Readonly<Record<string, number>> = {
  bad_faults: 400,
  bad_json: 400,
  replay_not_possible: 409,
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  // A page in a browser sends this type only after a preflight request, which fails here.
  if (request.headers['content-type']?.split(';')[0] !== 'application/json') {
    throw new OperatorError('bad_json', 'Expected content-type application/json.')
  }
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > CONTROL_BODY_BYTES_MAX) {
      throw new OperatorError(
        'bad_json',
        `The body is longer than ${CONTROL_BODY_BYTES_MAX} bytes.`,
      )
    }
    parts.push(part)
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString())
  } catch (cause) {
    throw new OperatorError('bad_json', 'The body is not JSON.', { cause })
  }
}

function isLoopback(address: string | undefined): boolean {
  return address !== undefined && /^(::ffff:)?127\.|^::1$/.test(address)
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  send(response, status, JSON.stringify(body))
}

function send(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(body)
}
