/** Features of the derivative itself, from mark_price. */
import { columnsOf, type Feature } from './column.ts'

const NO_MARK =
  'at the end of the interval there was no mark price since the start or since the last open gap'
const NO_INDEX = `${NO_MARK}, or the exchange did not send the value`

export const MARK_COLUMNS: readonly Feature[] = columnsOf({ null_rule: NO_MARK }, [
  ['mark_price', 'quote asset', 'last mark price', 'p_mark'],
  ['index_price', 'quote asset', 'last index price', 'p_index', { null_rule: NO_INDEX }],
  [
    'mark_index_basis_bps',
    'bps',
    'how far the mark price is above the index',
    '(p_mark / p_index - 1) 1e4',
    { null_rule: `${NO_INDEX}, or the index is 0` },
  ],
  [
    'funding_rate',
    'fraction per funding interval',
    'last funding rate; positive: longs pay shorts',
    'as published',
    { null_rule: NO_INDEX },
  ],
])
