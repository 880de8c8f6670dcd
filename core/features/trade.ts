/** Features of trades and liquidations, by taker side. */
import { columnsOf, type Feature } from './column.ts'

export const BLIND_TRADES =
  'an open gap in the trade stream touches the interval, ' +
  'or no trade of the exchange was recorded that day'
const NO_TRADE = `no trade in the interval, or ${BLIND_TRADES}`

export const TRADE_COLUMNS: readonly Feature[] = columnsOf({ null_rule: BLIND_TRADES }, [
  [
    'trade_count',
    'trades',
    'trades in the interval: aggregates or single fills, depending on the recorded stream',
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
      'an open gap in the liquidation stream touches the interval, ' +
      'or no liquidation of the exchange was recorded that day',
  },
  [
    [
      'liquidation_count',
      'orders',
      'forced orders received in the interval; a lower bound, because Binance sends only the ' +
        'last one per symbol and second',
      'n',
      { type: 'int64' },
    ],
    [
      'liquidation_buy_volume',
      'base asset',
      'filled quantity of forced buy orders; also a lower bound',
      'sum filled_qty[side = buy]',
    ],
    [
      'liquidation_sell_volume',
      'base asset',
      'filled quantity of forced sell orders; also a lower bound',
      'sum filled_qty[side = sell]',
    ],
  ],
)
