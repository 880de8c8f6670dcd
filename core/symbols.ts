/** Exchanges and instruments: every row belongs to one of each. */

export const EXCHANGES = ['binance-futures', 'binance-spot', 'deribit', 'bybit-linear'] as const
export type Exchange = (typeof EXCHANGES)[number]

export function isExchange(text: string): text is Exchange {
  return (EXCHANGES as readonly string[]).includes(text)
}

/** A symbol as the exchange lists it. Names are those of the exchange. */
export interface Instrument {
  readonly exchange: Exchange
  readonly symbol: string
  readonly instrument_type: 'perp' | 'future' | 'spot' | 'index'
  readonly base_asset: string
  readonly quote_asset: string
  readonly is_active: boolean
  /** True for markets with sessions (stocks, commodities), which are silent between them. */
  readonly may_rest?: boolean
  /**
   * Smallest price step. It turns a double back into the exchange's exact decimal text. Null for
   * an index, which is not traded.
   */
  readonly tick_size: number | null
  /** Smallest quantity step. */
  readonly step_size: number | null
}

export const SYMBOL_CHARS_MAX = 64

/** The rule for symbol names, worded to follow "expected" in a message. */
export const SYMBOL_RULE = `letters of any script, digits, "_", "-" and ".", at most ${SYMBOL_CHARS_MAX}`

/**
 * Exchanges list names such as 1000PEPEUSDT, BTCUSDT_260925, XRPUSDT-05JUN26, drbfix-btc_usdc and
 * 币安人生USDT. Names are case-sensitive. Characters that separate names in lists, paths, streams
 * and files are not allowed (comma, slash, "@", space), nor is a name that is only dots.
 */
export function isSymbolName(text: string): boolean {
  return SYMBOL_NAME.test(text) && text.length <= SYMBOL_CHARS_MAX
}

const SYMBOL_NAME = /^[_.-]*[\p{L}\p{N}][\p{L}\p{M}\p{N}_.-]*$/u

/** Decimal places of a step: 0.001 has 3, 1 has 0, 2.5e-8 has 9. */
export function decimalsOf(step: number): number {
  const [digits = '', exponent = '0'] = String(step).split('e')
  const [, fraction = ''] = digits.split('.')
  return Math.max(0, fraction.length - Number(exponent))
}
