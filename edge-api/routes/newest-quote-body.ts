/** The JSON of a newest quote, for its route and for the answer ahead of the routes. */
import type { Micros } from '#core/time.ts'
import { jsonRow } from '../formats/table-text.ts'
import type { Instrument } from '../range/instruments.ts'
import type { Row } from '../tables/table.ts'
import { quotes } from '../tables/tables.ts'
import { ageMs } from './age.ts'
import { jsonBytes } from './json-answer.ts'

export function newestQuoteBody(
  instrument: Instrument,
  row: Row,
  now: Micros,
  max_age_s: number | undefined,
): Uint8Array<ArrayBuffer> {
  const { exchange, symbol } = instrument
  const age_ms = ageMs(row['ts_exchange'] as Micros, now)
  const age = { age_ms, ...(max_age_s === undefined ? {} : { max_age_s }) }
  return jsonBytes({ exchange, symbol, ...age, ...jsonRow(row, quotes.columns, instrument) })
}
