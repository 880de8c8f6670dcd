/** Shared by all readers of this exchange's payloads. */
import type { Fields } from '../fields.ts'

export const EXCHANGE = 'binance-futures'

/** `st` of the COIN-M universe, which shares all-market streams with USD-M since 2026-06. */
export const COIN_MARGINED = 2

/**
 * True for a payload of the COIN-M universe. If `st` is absent (`@trade`, and everything before
 * 2026-06), the name decides: COIN-M has BTCUSD_PERP and BTCUSD_260925, USD-M has BTCUSDT_260925.
 */
export function isCoinMargined({ st, s }: Fields): boolean {
  return st === COIN_MARGINED || (typeof s === 'string' && /USD_(?:PERP|\d{6})$/.test(s))
}
