/**
 * The newest quote as our gateway answers it: the bytes of its JSON and their tag. Other services
 * that speak the format of database.ts, and gateways of earlier versions, do not have this path.
 */
import type { Breaker } from '#core/breaker.ts'
import { sendAgainIfLost } from '#core/lost-connections.ts'
import { withDeadline } from '#core/waiting.ts'
import { isUnreachable, refusal, TIMEOUT_MS, unreachable } from './database.ts'

/** Carries the JSON from the gateway to the edge. */
export const QUOTE_HEADER = 'booktape-quote'

export interface GatewayQuote {
  readonly body: Uint8Array<ArrayBuffer>
  readonly etag: string
}

/** `none`: the current hour has no such quote. `not served`: the statement must be sent instead. */
export type FromGateway = GatewayQuote | 'none' | 'not served'

export interface AskedInstrument {
  readonly id: number
  readonly exchange: string
  readonly symbol: string
  readonly price_decimals: number | null
  readonly qty_decimals: number | null
}

/** Throws the errors of a database. */
export type AskGateway = (
  instrument: AskedInstrument,
  max_age_s: number | undefined,
) => Promise<FromGateway>

/** A gateway without this path is asked for it again after so long. */
const PAUSE_MS = 60_000
/** What our gateway's tags look like. A page of a proxy has no such tag. */
const TAG = /^"[0-9a-f]{32}"$/

export function createAskGateway(options: {
  readonly gateway_url: string
  readonly gateway_secret: string
  /** Shared with the statements that go to the same gateway. */
  readonly breaker: Breaker
}): AskGateway {
  const { gateway_url, gateway_secret, breaker } = options
  const init = { headers: new Headers({ authorization: `Bearer ${gateway_secret}` }) }
  let not_before_ms = 0

  const ask = async (url: string): Promise<Response | 'none' | 'not served'> => {
    const response = await sendAgainIfLost(() => fetch(url, init)).catch((cause: unknown) => {
      throw unreachable(cause)
    })
    const { status } = response
    if (status === 200 && TAG.test(tagOf(response))) return response
    if (status >= 500) throw await refusal(response)
    await response.body?.cancel()
    if (status === 204) return 'none'
    not_before_ms = Date.now() + PAUSE_MS
    return 'not served'
  }

  const quoteAt = async (url: string): Promise<FromGateway> => {
    const response = await ask(url)
    if (typeof response === 'string') return response
    return { body: await bodyOf(response), etag: tagOf(response) }
  }

  return async (instrument, max_age_s) => {
    if (Date.now() < not_before_ms) return 'not served'
    if (!breaker.allows()) throw unreachable()
    const url = urlOf(gateway_url, instrument, max_age_s)
    try {
      // Not an AbortSignal, which costs more. A request to the gateway ends with the caller's.
      const answer = await withDeadline(quoteAt(url), TIMEOUT_MS, unreachable)
      breaker.succeeded()
      return answer
    } catch (error) {
      if (isUnreachable(error)) breaker.failed()
      else breaker.succeeded()
      throw error
    }
  }
}

const encoder = new TextEncoder()

/** A body costs a stream and another turn of the event loop, so a quote comes as a header. */
async function bodyOf(response: Response): Promise<Uint8Array<ArrayBuffer>> {
  const text = response.headers.get(QUOTE_HEADER)
  if (text !== null) return encoder.encode(text) as Uint8Array<ArrayBuffer>
  // A truncated answer means that the gateway disconnected.
  const bytes = await response.arrayBuffer().catch((cause: unknown) => {
    throw unreachable(cause)
  })
  return new Uint8Array(bytes)
}

function tagOf({ headers }: Response): string {
  return headers.get('etag') ?? ''
}

function urlOf(
  gateway_url: string,
  { id, exchange, symbol, price_decimals, qty_decimals }: AskedInstrument,
  max_age_s: number | undefined,
): string {
  let url = `${gateway_url}/newest-quote?symbol_id=${id}&exchange=${exchange}`
  url += `&symbol=${encodeURIComponent(symbol)}`
  if (price_decimals !== null) url += `&price_decimals=${price_decimals}`
  if (qty_decimals !== null) url += `&qty_decimals=${qty_decimals}`
  if (max_age_s !== undefined) url += `&max_age_s=${max_age_s}`
  return `${url}&in=head`
}
