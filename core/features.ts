/**
 * Registry of features: the columns of dataset features_1s in their order, each with unit,
 * formula, source and null rule. Parquet, Arrow, the manifest and the docs are made from it.
 */
import type { DatasetColumn } from './dataset.ts'

export type FeatureType = 'timestamp_us' | 'string' | 'float64' | 'int64'

export interface Feature extends DatasetColumn {
  readonly type: FeatureType
}

/** Raised with every change of a column's name, type or meaning; a part of the object key. */
export const FEATURES_1S_VERSION = 1

/** The null rule of a column that has a value in every row. */
export const NEVER = 'never'
const NO_QUOTE =
  'at the end of the second there is no two-sided quote since the start, or since the last open gap'
const NO_QTY = `${NO_QUOTE}, or both quantities are 0`
const NO_TRADE = 'no trade in the second'
const BLIND_TRADES =
  'an open gap of the trade stream touches the second, ' +
  'or no trade of the exchange was recorded that day'
const CKS = 'Cont, Kukanov & Stoikov (2014), The Price Impact of Order Book Events, arXiv 1011.6402'
const GB =
  'Gould & Bonart (2015), Queue Imbalance as a One-Tick-Ahead Price Predictor, arXiv 1512.03492'
const ABDL =
  'Andersen, Bollerslev, Diebold & Labys (2003), Modeling and Forecasting Realized Volatility'

const key = (name: string, type: FeatureType, unit: string, description: string): Feature => ({
  name,
  type,
  unit,
  description,
  formula: name === 'ts' ? 'floor(ts_exchange to 1 s)' : '',
  source: 'definition',
  null_rule: NEVER,
})

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
  key('ts', 'timestamp_us', 'UTC', 'start of the second [ts, ts + 1 s), by ts_exchange'),
  key('exchange', 'string', 'name', 'exchange'),
  key('symbol', 'string', 'name', "the exchange's own name, upper case"),
  quote(
    'mid_open',
    'quote asset',
    'mid at the start of the second; the first one where none was carried in',
    'm at ts',
  ),
  quote('mid_high', 'quote asset', 'highest mid, the carried one included', 'max m'),
  quote('mid_low', 'quote asset', 'lowest mid, the carried one included', 'min m'),
  quote('mid_close', 'quote asset', 'last mid', 'm = (b + a) / 2'),
  quote('best_bid', 'quote asset', 'last best bid price', 'b'),
  quote('bid_qty', 'base asset', 'quantity at the last best bid', 'Qb'),
  quote('best_ask', 'quote asset', 'last best ask price', 'a'),
  quote('ask_qty', 'base asset', 'quantity at the last best ask', 'Qa'),
  quote('spread', 'quote asset', 'last spread', 'a - b'),
  quote(
    'spread_mean',
    'quote asset',
    'mean spread over the two-sided quotes of the second; the last spread where there is none',
    'mean(a_n - b_n)',
  ),
  {
    ...quote(
      'weighted_mid',
      'quote asset',
      'mid weighted by the opposite quantities at the end of the second',
      '(a Qb + b Qa) / (Qa + Qb)',
    ),
    null_rule: NO_QTY,
  },
  {
    ...quote(
      'i1',
      '1',
      'imbalance of the best level at the end of the second, -1 to 1',
      '(Qb - Qa) / (Qb + Qa)',
      GB,
    ),
    null_rule: NO_QTY,
  },
  quote(
    'ofi',
    'base asset',
    'order flow imbalance of the best level; the chain runs on over seconds and midnight; ' +
      'the first quote after a gap contributes 0 and starts it anew',
    'sum e_n; e_n = Qb_n[b_n>=b_(n-1)] - Qb_(n-1)[b_n<=b_(n-1)] ' +
      '- Qa_n[a_n<=a_(n-1)] + Qa_(n-1)[a_n>=a_(n-1)]',
    CKS,
  ),
  {
    ...quote('quote_count', 'updates', 'best-quote updates in the second', 'n'),
    type: 'int64',
  },
  {
    ...trade(
      'trade_count',
      'trades',
      'trades in the second, as the recorded stream counts them: aggregated, or single fills',
      'n',
    ),
    type: 'int64',
  },
  trade('volume', 'base asset', 'traded quantity', 'sum q'),
  trade('buy_volume', 'base asset', 'quantity bought by takers', 'Vb = sum q[not is_buyer_maker]'),
  trade('sell_volume', 'base asset', 'quantity sold by takers', 'Vs = sum q[is_buyer_maker]'),
  trade('notional', 'quote asset', 'traded value', 'sum p q'),
  {
    ...trade('vwap', 'quote asset', 'volume-weighted average price', 'sum p q / sum q'),
    null_rule: `${NO_TRADE}, or ${BLIND_TRADES}`,
  },
  {
    ...trade(
      'trade_imbalance',
      '1',
      'signed share of taker volume, -1 to 1',
      '(Vb - Vs) / (Vb + Vs)',
    ),
    null_rule: `${NO_TRADE}, or ${BLIND_TRADES}`,
  },
  {
    ...quote(
      'realised_variance',
      '1',
      'squared log return of the 1 s mid; the sum over a window is its realised variance',
      'r^2; r = ln(mid_close / mid_close of the second before)',
      ABDL,
    ),
    null_rule: 'this second or the one before it has no mid, or a gap lies between the two',
  },
]
