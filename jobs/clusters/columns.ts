/** Registry of the dataset `clusters`: its columns in order. */
import { columnsOf, keyColumns } from '#core/features/column.ts'
import { NEVER, type FeatureSet } from '#core/features.ts'

export const CLUSTERS: FeatureSet = {
  dataset: 'clusters',
  schema_version: 1,
  description:
    'Footprint of trades: one row per minute and price at which something was traded. Coarser bins ' +
    'and longer intervals are sums of it (docs/clusters.md). Sorted by exchange, symbol, ts, price.',
  columns: [
    ...keyColumns('1 min'),
    ...columnsOf({ null_rule: NEVER }, [
      ['price', 'quote asset', 'price of the trades, a multiple of the tick size', 'p'],
      ['buy_qty', 'base asset', 'quantity that takers bought at the price', 'sum q[taker bought]'],
      ['sell_qty', 'base asset', 'quantity that takers sold at the price', 'sum q[taker sold]'],
      ['buy_count', '1', 'taker buys at the price', 'count[taker bought]', { type: 'int64' }],
      ['sell_count', '1', 'taker sells at the price', 'count[taker sold]', { type: 'int64' }],
      ['open', 'quote asset', 'price of the first trade of the minute', 'first p by (time, id)'],
      ['close', 'quote asset', 'price of the last trade of the minute', 'last p by (time, id)'],
      [
        'min_delta',
        'base asset',
        'lowest value of the running delta (bought minus sold), which starts at 0 with the minute',
        'min of 0 and the partial sums of +q[bought], -q[sold] by (time, id)',
      ],
      [
        'max_delta',
        'base asset',
        'highest value of the running delta',
        'max of 0 and the partial sums of +q[bought], -q[sold] by (time, id)',
      ],
    ]),
  ],
}
