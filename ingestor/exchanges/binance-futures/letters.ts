/** What every reader of this exchange's payloads shares. */
import type { Fields } from '../fields.ts'

export const EXCHANGE = 'binance-futures'

/** `st` of the COIN-M universe, which shares all-market streams with USD-M since 2026-06. */
export const COIN_MARGINED = 2

/**
 * True for a payload of the COIN-M universe. Where it does not say (`@trade`, and everything before
 * 2026-06), the name does: BTCUSD_PERP and BTCUSD_260925, where USD-M has BTCUSDT_260925.
 */
export function isCoinMargined({ st, s }: Fields): boolean {
  return st === COIN_MARGINED || (typeof s === 'string' && /USD_(?:PERP|\d{6})$/.test(s))
}
