/** Registry of the dataset `candles`: its columns in order. */
import { columnsOf, keyColumns } from '#core/features/column.ts'
import { NEVER, type FeatureSet } from '#core/features.ts'

/** Lengths of candles [s]: 1m, 5m, 15m, 1h, 4h, 1d. */
export const INTERVALS_S = [60, 300, 900, 3_600, 14_400, 86_400] as const

const NO_TRADE = { null_rule: 'nothing was traded, or no second of the candle was recorded' }
const UNRECORDED = { null_rule: 'no second of the candle was recorded' }

export const CANDLES: FeatureSet = {
  dataset: 'candles',
  schema_version: 2,
  description:
    'Candles of trades, 1m to 1d, on a dense grid aligned to the UTC day. Sorted by exchange, ' +
    'symbol, interval_s, ts.',
  columns: [
    ...keyColumns('interval_s'),
    ...columnsOf({ null_rule: NEVER }, [
      [
        'interval_s',
        's',
        'length of the candle: 60, 300, 900, 3600, 14400 or 86400',
        'ts .. ts + interval_s',
        { type: 'int64' },
      ],
    ]),
    ...columnsOf(NO_TRADE, [
      ['open', 'quote asset', 'price of the first trade', 'p of the first trade by (time, id)'],
      ['high', 'quote asset', 'highest price', 'max p'],
      ['low', 'quote asset', 'lowest price', 'min p'],
      ['close', 'quote asset', 'price of the last trade', 'p of the last trade by (time, id)'],
    ]),
    ...columnsOf(UNRECORDED, [
      ['volume', 'base asset', 'quantity traded', 'sum q'],
      ['buy_volume', 'base asset', 'quantity of taker buys', 'sum q[taker bought]'],
      ['sell_volume', 'base asset', 'quantity of taker sells', 'sum q[taker sold]'],
      ['notional', 'quote asset', 'value traded', 'sum p q'],
      ['trade_count', '1', 'trades', 'count', { type: 'int64' }],
    ]),
    ...columnsOf(NO_TRADE, [['vwap', 'quote asset', 'mean price by volume', 'sum p q / sum q']]),
    ...columnsOf({ null_rule: NEVER }, [
      [
        'missing_s',
        's',
        'seconds of the candle whose trades were not fully recorded: before the first event, ' +
          'across an open gap, after the last event of the exchange; 0 is a complete candle',
        'interval_s - recorded seconds',
        { type: 'int64' },
      ],
    ]),
  ],
}
