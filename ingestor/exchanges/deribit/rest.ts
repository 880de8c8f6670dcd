/** Parses REST answers of Deribit: index prices, as from the socket, and the list of names. */
import { OperatorError } from '#core/errors.ts'
import { isSymbolName } from '#core/symbols.ts'
import type { Micros } from '#core/time.ts'
import type { Parsed, ParsedListing, StreamChoice } from '../adapter.ts'
import {
  isFields,
  microsField,
  orRejected,
  parseJsonText,
  priceField,
  Rejection,
} from '../fields.ts'
import { readEntries } from '../listing-entries.ts'
import { EXCHANGE, field } from './parse.ts'
import type { WireAnswer, WireIndexPriceResult } from './wire.ts'

export const INSTRUMENTS_PATH = '/api/v2/public/get_index_price_names'

const PRICE_PATH = '/api/v2/public/get_index_price'

/** `path` is the request's path with its query. Only the query names the index. */
export function parseRest(
  path: string,
  body: string,
  ts_ingest: Micros,
  choice: StreamChoice,
): Parsed {
  return orRejected(() => {
    const [endpoint = '', query = ''] = path.split('?', 2)
    if (endpoint !== PRICE_PATH) throw new Rejection('unknown_shape', `unknown path ${path}`)
    const answer = parseJsonText(body)
    if (!isFields(answer)) throw new Rejection('unknown_shape', 'not an object')
    if ('error' in answer) return { kind: 'control' }
    if (!choice.channels.includes('prices')) return { kind: 'ignored', stream_class: 'index_price' }
    const symbol = new URLSearchParams(query).get('index_name') ?? ''
    if (!isSymbolName(symbol)) throw new Rejection('bad_symbol', 'the path names no index')
    const result = answer[field<WireAnswer>('result')]
    if (!isFields(result)) throw new Rejection('bad_field', 'result: expected an object')
    const event = {
      kind: 'index_price',
      exchange: EXCHANGE,
      symbol,
      // The result has no time, so it gets the time of the answer.
      ts_exchange: microsField(answer, field<WireAnswer>('usOut')),
      ts_ingest,
      price: priceField(result, field<WireIndexPriceResult>('index_price')),
    } as const
    return { kind: 'events', events: [event] }
  })
}

/** Every index that the exchange lists, as texts, or as objects with a name. */
export function parseInstruments(body: string): ParsedListing {
  return readEntries(
    parseNames(body),
    (entry) => (isFields(entry) ? entry['name'] : entry),
    (_entry, symbol) => {
      const [base = '', quote = ''] = symbol.toUpperCase().split('_')
      return {
        exchange: EXCHANGE,
        symbol,
        instrument_type: 'index',
        base_asset: base,
        quote_asset: quote,
        is_active: true,
        tick_size: null,
        step_size: null,
      }
    },
  )
}

function parseNames(body: string): readonly unknown[] {
  let answer: unknown
  try {
    answer = JSON.parse(body)
  } catch {
    answer = undefined
  }
  const result = isFields(answer) ? answer[field<WireAnswer>('result')] : undefined
  if (Array.isArray(result)) return result
  const beginning = JSON.stringify(body.slice(0, 60))
  throw new OperatorError(
    'bad_listing',
    `The answer to ${INSTRUMENTS_PATH} is not a list of names: it begins with ${beginning}.`,
    {
      hint: 'Check EXCHANGE_REST_URL; the answer is a JSON-RPC object with a list "result".',
      retryable: true,
    },
  )
}
