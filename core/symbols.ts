/** Exchanges and instruments: the nouns that every row hangs on. */

export const EXCHANGES = ['binance-futures', 'binance-spot', 'deribit', 'bybit-linear'] as const
export type Exchange = (typeof EXCHANGES)[number]

export function isExchange(text: string): text is Exchange {
  return (EXCHANGES as readonly string[]).includes(text)
}

/** What the exchange's own listing says about a symbol. Names are the exchange's own. */
export interface Instrument {
  readonly exchange: Exchange
  readonly symbol: string
  readonly instrument_type: 'perp' | 'future' | 'spot' | 'index'
  readonly base_asset: string
  readonly quote_asset: string
  readonly is_active: boolean
  /** Its market has sessions (stocks, commodities): between them it is silent. Absent: always open. */
  readonly may_rest?: boolean
  /**
   * Smallest price step; with it a double turns back into the exchange's exact decimal text. Null
   * for an index, which is not traded.
   */
  readonly tick_size: number | null
  /** Smallest quantity step. */
  readonly step_size: number | null
}

/**
 * Letters, digits and underscore; 1 to 32 characters. Exchanges list names such as 1000PEPEUSDT,
 * BTCUSDT_260925, BTCUSD_PERP and, since 2025, names in Chinese letters: any letter is allowed.
 */
export function isSymbolName(text: string): boolean {
  return /^[\p{L}\p{N}_]{1,32}$/u.test(text)
}

/** Digits after the point of a step written as a number: 0.001 is 3, 1 is 0, 2.5e-8 is 9. */
export function decimalsOf(step: number): number {
  const [digits = '', exponent = '0'] = String(step).split('e')
  const [, fraction = ''] = digits.split('.')
  return Math.max(0, fraction.length - Number(exponent))
}
