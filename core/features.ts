/**
 * Registry of features: the columns of dataset features_1s in their order, each with unit,
 * formula, source and null rule. Parquet, Arrow, the manifest and the docs are made from it.
 */
export type FeatureType = 'timestamp_us' | 'string' | 'float64' | 'int64'

export interface Feature {
  readonly name: string
  readonly type: FeatureType
  readonly unit: string
  readonly description: string
  readonly formula: string
  readonly source: string
  /** When the value is null. */
  readonly null_rule: string
}

/** Raised with every change of a column's name, type or meaning; a part of the object key. */
export const FEATURES_1S_VERSION = 1

const NEVER = 'never'
const NO_QUOTE = 'no quote yet since the start, or since the last gap'
const NO_TRADE = 'no trade in the second'
const BLIND_TRADES = 'the trade stream has a gap in the second'
const CKS = 'Cont, Kukanov & Stoikov (2014), The Price Impact of Order Book Events, arXiv 1011.6402'

const quote = (
  name: string,
  unit: string,
  description: string,
  formula: string,
  source = 'definition',
): Feature => ({ name, type: 'float64', unit, description, formula, source, null_rule: NO_QUOTE })

const trade = (name: string, unit: string, description: string, formula: string): Feature => ({
  name,
  type: 'float64',
  unit,
  description,
  formula,
  source: 'definition',
  null_rule: BLIND_TRADES,
})

/** Key columns first, then features. Rows are sorted by exchange, symbol, ts. */
export const FEATURES_1S: readonly Feature[] = [
  {
    name: 'ts',
    type: 'timestamp_us',
    unit: 'UTC',
    description: 'start of the second [ts, ts + 1 s), by ts_exchange',
    formula: 'floor(ts_exchange to 1 s)',
    source: 'definition',
    null_rule: NEVER,
  },
  {
    name: 'exchange',
    type: 'string',
    unit: 'name',
    description: 'exchange',
    formula: '',
    source: 'definition',
    null_rule: NEVER,
  },
  {
    name: 'symbol',
    type: 'string',
    unit: 'name',
    description: "the exchange's own name, upper case",
    formula: '',
    source: 'definition',
    null_rule: NEVER,
  },
  quote('mid_open', 'quote asset', 'mid at the start of the second: carried in, else the first', 'm at ts'),
  quote('mid_high', 'quote asset', 'highest mid, the carried one included', 'max m'),
  quote('mid_low', 'quote asset', 'lowest mid, the carried one included', 'min m'),
  quote('mid_close', 'quote asset', 'last mid', 'm = (best_bid + best_ask) / 2'),
  quote('best_bid', 'quote asset', 'last best bid price', 'b'),
  quote('bid_qty', 'base asset', 'quantity at the last best bid', 'Qb'),
  quote('best_ask', 'quote asset', 'last best ask price', 'a'),
  quote('ask_qty', 'base asset', 'quantity at the last best ask', 'Qa'),
  quote('spread', 'quote asset', 'last spread', 'a - b'),
  quote(
    'spread_mean',
    'quote asset',
    'mean spread over the quote updates of the second; the carried spread where there is none',
    'mean(a_n - b_n)',
  ),
  quote(
    'weighted_mid',
    'quote asset',
    'mid weighted by the opposite quantities at the end of the second',
    '(a Qb + b Qa) / (Qa + Qb)',
  ),
  quote(
    'i1',
    '1',
    'imbalance of the best level at the end of the second, -1 to 1',
    '(Qb - Qa) / (Qb + Qa)',
    'Gould & Bonart (2015), arXiv 1512.03492',
  ),
  quote(
    'ofi',
    'base asset',
    'order flow imbalance of the best level; the chain runs on over seconds and midnight, and starts anew after a gap',
    'sum e_n; e_n = Qb_n[b_n>=b_(n-1)] - Qb_(n-1)[b_n<=b_(n-1)] - Qa_n[a_n<=a_(n-1)] + Qa_(n-1)[a_n>=a_(n-1)]',
    CKS,
  ),
  {
    name: 'quote_count',
    type: 'int64',
    unit: 'updates',
    description: 'best-quote updates in the second',
    formula: 'n',
    source: 'definition',
    null_rule: NO_QUOTE,
  },
  {
    name: 'trade_count',
    type: 'int64',
    unit: 'trades',
    description: 'trades in the second, as the stream counts them (aggregated, or raw where raw trades are recorded)',
    formula: 'n',
    source: 'definition',
    null_rule: BLIND_TRADES,
  },
  trade('volume', 'base asset', 'traded quantity', 'sum q'),
  trade('buy_volume', 'base asset', 'quantity bought by takers', 'Vb = sum q[is_buyer_maker = false]'),
  trade('sell_volume', 'base asset', 'quantity sold by takers', 'Vs = sum q[is_buyer_maker = true]'),
  trade('notional', 'quote asset', 'traded value', 'sum p q'),
  {
    ...trade('vwap', 'quote asset', 'volume-weighted average price', 'sum p q / sum q'),
    null_rule: `${NO_TRADE}, or ${BLIND_TRADES}`,
  },
  {
    ...trade('trade_imbalance', '1', 'signed share of taker volume, -1 to 1', '(Vb - Vs) / (Vb + Vs)'),
    null_rule: `${NO_TRADE}, or ${BLIND_TRADES}`,
  },
  {
    name: 'realised_variance',
    type: 'float64',
    unit: '1',
    description:
      'squared log return of the 1 s mid; adds up: the sum over any window is its realised variance',
    formula: 'r^2; r = ln(mid_close / mid_close of the second before)',
    source: 'Andersen, Bollerslev, Diebold & Labys (2003), Modeling and Forecasting Realized Volatility',
    null_rule: 'this second or the one before it has no mid, or a gap lies between',
  },
]
