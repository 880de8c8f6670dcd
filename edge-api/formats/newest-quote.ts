/**
 * The JSON of a newest quote: the same from its route, ahead of the routes, and from the gateway.
 */
import type { Decimals } from '#core/decimal-text.ts'
import type { Micros } from '#core/time.ts'
import type { Row } from '../tables/table.ts'
import { quotes } from '../tables/tables.ts'
import { ageMs } from './age.ts'
import { jsonRow } from './table-text.ts'

export interface QuotedInstrument extends Decimals {
  readonly exchange: string
  readonly symbol: string
}

const encoder = new TextEncoder()

export function newestQuoteBody(
  instrument: QuotedInstrument,
  row: Row,
  now: Micros,
  max_age_s: number | undefined,
): Uint8Array<ArrayBuffer> {
  const { exchange, symbol } = instrument
  const age_ms = ageMs(row['ts_exchange'] as Micros, now)
  const age = { age_ms, ...(max_age_s === undefined ? {} : { max_age_s }) }
  const answer = { exchange, symbol, ...age, ...jsonRow(row, quotes.columns, instrument) }
  return encoder.encode(JSON.stringify(answer)) as Uint8Array<ArrayBuffer>
}
