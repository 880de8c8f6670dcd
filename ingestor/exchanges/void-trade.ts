/**
 * Detects void trades: trade ids without a market trade. The same rule applies to every exchange,
 * over sockets and over REST.
 */
import { decimalField, type Fields } from './fields.ts'

/**
 * Price and quantity; undefined for a void trade. A trade is void if one of them is 0, or if the
 * exchange marks the fill as not a market trade. A marked fill may hold anything.
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

/** Binance's `X`: INSURANCE_FUND, ADL, NA ... are not market trades. Most payloads lack it. */
export function isMarkedVoid({ X }: Fields): boolean {
  return X !== undefined && X !== 'MARKET'
}
