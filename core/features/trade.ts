/** Features of the takers' side: trades and liquidations. */
import { columnsOf, type Feature } from './column.ts'

export const BLIND_TRADES =
  'an open gap of the trade stream touches the interval, ' +
  'or no trade of the exchange was recorded that day'
const NO_TRADE = `no trade in the interval, or ${BLIND_TRADES}`

export const TRADE_COLUMNS: readonly Feature[] = columnsOf({ null_rule: BLIND_TRADES }, [
  [
    'trade_count',
    'trades',
    'trades in the interval, as the recorded stream counts them: aggregated, or single fills',
    'n',
    { type: 'int64' },
  ],
  ['volume', 'base asset', 'traded quantity', 'sum q'],
  ['buy_volume', 'base asset', 'quantity bought by takers', 'Vb = sum q[not is_buyer_maker]'],
  ['sell_volume', 'base asset', 'quantity sold by takers', 'Vs = sum q[is_buyer_maker]'],
  ['notional', 'quote asset', 'traded value', 'sum p q'],
  [
    'vwap',
    'quote asset',
    'volume-weighted average price',
    'sum p q / sum q',
    { null_rule: NO_TRADE },
  ],
  [
    'trade_imbalance',
    '1',
    'signed share of taker volume, -1 to 1',
    '(Vb - Vs) / (Vb + Vs)',
    { null_rule: NO_TRADE },
  ],
])

export const LIQUIDATION_COLUMNS: readonly Feature[] = columnsOf(
  {
    null_rule:
      'an open gap of the liquidation stream touches the interval, ' +
      'or no liquidation of the exchange was recorded that day',
  },
  [
    [
      'liquidation_count',
      'orders',
      'forced orders heard of in the interval; a lower bound, as Binance sends only the last one ' +
        'of a symbol and second',
      'n',
      { type: 'int64' },
    ],
    [
      'liquidation_buy_volume',
      'base asset',
      'quantity filled of forced orders that bought; a lower bound too',
      'sum filled_qty[side = buy]',
    ],
    [
      'liquidation_sell_volume',
      'base asset',
      'quantity filled of forced orders that sold; a lower bound too',
      'sum filled_qty[side = sell]',
    ],
  ],
)
