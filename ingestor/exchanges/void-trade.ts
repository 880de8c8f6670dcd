/**
 * Ids of trades that stand for no trade of the market: the same judgement for every exchange, from
 * the socket and over REST.
 */
import { decimalField, type Fields } from './fields.ts'

/**
 * Price and quantity; undefined where nothing changed hands (one of them is 0), or where the
 * exchange marks the fill as none of the market's: then they may be anything.
 */
export function tradeAmounts(
  wire: Fields,
  price_name: string,
  qty_name: string,
  is_marked: boolean,
): { readonly price: number; readonly qty: number } | undefined {
  if (is_marked) return undefined
  const price = decimalField(wire, price_name)
  const qty = decimalField(wire, qty_name)
  return price === 0 || qty === 0 ? undefined : { price, qty }
}

/** Binance's `X`: INSURANCE_FUND, ADL, NA ... are no market trades. Most payloads do not have it. */
export function isMarkedVoid({ X }: Fields): boolean {
  return X !== undefined && X !== 'MARKET'
}
