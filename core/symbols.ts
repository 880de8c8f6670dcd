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

export const SYMBOL_CHARS_MAX = 64

/** What a symbol's name may be, as messages say it after "expected". */
export const SYMBOL_RULE = `letters of any script, digits, "_", "-" and ".", at most ${SYMBOL_CHARS_MAX}`

/**
 * Exchanges list names such as 1000PEPEUSDT, BTCUSDT_260925, XRPUSDT-05JUN26, drbfix-btc_usdc and
 * 币安人生USDT. Upper and lower case are different names. Nothing is allowed that separates names
 * in lists, paths, streams and files: no comma, slash, "@" or space, nor a name of dots alone.
 */
export function isSymbolName(text: string): boolean {
  return SYMBOL_NAME.test(text) && text.length <= SYMBOL_CHARS_MAX
}

const SYMBOL_NAME = /^[_.-]*[\p{L}\p{N}][\p{L}\p{M}\p{N}_.-]*$/u

/** Digits after the point of a step written as a number: 0.001 is 3, 1 is 0, 2.5e-8 is 9. */
export function decimalsOf(step: number): number {
  const [digits = '', exponent = '0'] = String(step).split('e')
  const [, fraction = ''] = digits.split('.')
  return Math.max(0, fraction.length - Number(exponent))
}
