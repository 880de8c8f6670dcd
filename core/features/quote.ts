/** Features of the best quotes, from book_ticker. */
import { columnsOf, type Feature } from './column.ts'

const NO_QUOTE =
  'at the end of the interval there was no quote since the start or since the last open gap'
const NO_BID = { null_rule: `${NO_QUOTE}, or the bid side is empty` }
const NO_ASK = { null_rule: `${NO_QUOTE}, or the ask side is empty` }
const ONE_SIDED = `${NO_QUOTE}, or a side of the book is empty`
const NO_QTY = `${ONE_SIDED}, or both quantities are 0`
export const NO_RETURN = 'this interval or the previous one has no mid, or a gap is between the two'
const CKS = 'Cont, Kukanov & Stoikov (2014), The Price Impact of Order Book Events, arXiv 1011.6402'
const GB =
  'Gould & Bonart (2015), Queue Imbalance as a One-Tick-Ahead Price Predictor, arXiv 1512.03492'
const ABDL =
  'Andersen, Bollerslev, Diebold & Labys (2003), Modeling and Forecasting Realized Volatility'

export const QUOTE_COLUMNS: readonly Feature[] = columnsOf({ null_rule: ONE_SIDED }, [
  [
    'mid_open',
    'quote asset',
    'mid at the start of the interval, or its first mid if none was carried in',
    'm at ts',
  ],
  ['mid_high', 'quote asset', 'highest mid, including the one carried in', 'max m'],
  ['mid_low', 'quote asset', 'lowest mid, including the one carried in', 'min m'],
  ['mid_close', 'quote asset', 'last mid', 'm = (b + a) / 2'],
  ['best_bid', 'quote asset', 'last best bid price', 'b', NO_BID],
  ['bid_qty', 'base asset', 'quantity at the last best bid', 'Qb', NO_BID],
  ['best_ask', 'quote asset', 'last best ask price', 'a', NO_ASK],
  ['ask_qty', 'base asset', 'quantity at the last best ask', 'Qa', NO_ASK],
  ['spread', 'quote asset', 'last spread', 'a - b'],
  [
    'spread_mean',
    'quote asset',
    'mean spread over the two-sided quotes of the interval; the last spread if there were none',
    'mean(a_n - b_n)',
  ],
  [
    'weighted_mid',
    'quote asset',
    'mid weighted by the opposite quantities at the end of the interval',
    '(a Qb + b Qa) / (Qa + Qb)',
    { null_rule: NO_QTY },
  ],
  [
    'i1',
    '1',
    'imbalance of the best level at the end of the interval, -1 to 1',
    '(Qb - Qa) / (Qb + Qa)',
    { source: GB, null_rule: NO_QTY },
  ],
  [
    'ofi',
    'base asset',
    'order flow imbalance of the best level; the chain continues across intervals and midnight; ' +
      'the first quote after a gap or after an empty side contributes 0 and restarts it',
    'sum e_n; e_n = Qb_n[b_n>=b_(n-1)] - Qb_(n-1)[b_n<=b_(n-1)] ' +
      '- Qa_n[a_n<=a_(n-1)] + Qa_(n-1)[a_n>=a_(n-1)]',
    { source: CKS },
  ],
  [
    'quote_count',
    'updates',
    'best-quote updates in the interval, including those with an empty side',
    'n',
    { type: 'int64', null_rule: NO_QUOTE },
  ],
  [
    'quote_age_s',
    's',
    'age of the last quote at the end of the interval',
    'end of the interval - ts_exchange of the last quote',
    { null_rule: NO_QUOTE },
  ],
  [
    'realised_variance',
    '1',
    'squared log return of the mid; its sum over a window is the realised variance',
    'r^2; r = ln(mid_close / mid_close of the previous interval)',
    { source: ABDL, null_rule: NO_RETURN },
  ],
])
