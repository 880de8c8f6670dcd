/** Reads the mark price of a ticker: complete in a snapshot, only the changes in a delta. */
import type { MarkPrice, MarkPriceChange, MarkPriceValues } from '#core/market.ts'
import type { Micros } from '#core/time.ts'
import {
  decimalField,
  field,
  type Fields,
  positiveField,
  Rejection,
  signedDecimalField,
  symbolField,
} from '../fields.ts'
import { millisField } from './millis-field.ts'
import { EXCHANGE } from './topics.ts'
import type { WireTicker } from './wire.ts'

type Values = { -readonly [name in keyof MarkPriceValues]?: MarkPriceValues[name] }

/** Returns an empty list if a delta changes only other fields of the ticker. */
export function readTicker(
  is_snapshot: boolean,
  ts_exchange: Micros,
  wire: Fields,
  ts_ingest: Micros,
): readonly (MarkPrice | MarkPriceChange)[] {
  const symbol = symbolField(wire, field<WireTicker>('symbol'))
  const stamped = { exchange: EXCHANGE, symbol, ts_exchange, ts_ingest } as const
  const changed = readValues(wire)
  if (!is_snapshot) {
    if (Object.keys(changed).length === 0) return []
    return [{ kind: 'mark_price_change', ...stamped, changed }]
  }
  const { mark_price } = changed
  if (mark_price === undefined) throw new Rejection('bad_field', 'markPrice: found nothing')
  return [{ kind: 'mark_price', ...stamped, ...NONE, ...changed, mark_price }]
}

const NONE = { index_price: null, settle_price: null, funding_rate: null, next_funding_at: null }

/** Only the fields that are present. An empty text, or a price of 0, means no value. */
function readValues(wire: Fields): Values {
  const name = field<WireTicker>
  const values: Values = {}
  const has = (text_name: string): boolean => wire[text_name] !== undefined
  const priceOf = (text_name: string): number | null =>
    wire[text_name] === '' ? null : decimalField(wire, text_name) || null
  if (has(name('markPrice'))) values.mark_price = positiveField(wire, name('markPrice'))
  if (has(name('indexPrice'))) values.index_price = priceOf(name('indexPrice'))
  if (has(name('predictedDeliveryPrice'))) {
    values.settle_price = priceOf(name('predictedDeliveryPrice'))
  }
  const rate = name('fundingRate')
  if (has(rate)) values.funding_rate = wire[rate] === '' ? null : signedDecimalField(wire, rate)
  const time = name('nextFundingTime')
  const has_time = wire[time] !== '' && wire[time] !== '0'
  if (has(time)) values.next_funding_at = has_time ? millisField(wire, time) : null
  return values
}
