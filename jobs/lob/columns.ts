/** Registry of the dataset `lob_10`: ten levels of the book per update, and FI-2010's labels. */
import { columnsOf, keyColumns, type Feature } from '#core/features/column.ts'
import { NEVER, type FeatureSet } from '#core/features.ts'

export const LOB_LEVELS = 10
/** Updates that labels look ahead. */
export const LOB_HORIZONS = [10, 20, 30, 50, 100] as const

const SOURCE =
  'Ntakaris, Magris, Kanniainen, Gabbouj & Iosifidis (2018), Benchmark Dataset for Mid-Price ' +
  'Forecasting of Limit Order Book Data, Journal of Forecasting 37 (8), arXiv 1705.03233'

/** Of level 1 to 10: ask price, ask quantity, bid price, bid quantity, as in FI-2010. */
export const LOB_COLUMNS: readonly string[] = Array.from({ length: LOB_LEVELS }, (_, rank) =>
  ['ask_price', 'ask_qty', 'bid_price', 'bid_qty'].map((name) => `${name}_${rank + 1}`),
).flat()

export const labelName = (horizon: number): string => `smoothed_return_${horizon}`

const [, exchange, symbol] = keyColumns('')

const ts: Feature = {
  name: 'ts',
  type: 'timestamp_us',
  unit: 'UTC',
  description: 'time of the update',
  formula: 'ts_exchange',
  source: 'definition',
  null_rule: NEVER,
}

export const LOB_10: FeatureSet = {
  dataset: 'lob_10',
  schema_version: 1,
  description:
    'The best ten levels of the book after each update, in the order of FI-2010, with labels of ' +
    'the smoothed mid, for the symbols in LOB_SYMBOLS. normalisers.parquet has mean and standard ' +
    'deviation of each column on the day before. Sorted by exchange, symbol, ts, update_id.',
  columns: [
    ts,
    exchange!,
    symbol!,
    ...columnsOf({ null_rule: NEVER }, [
      ['update_id', 'id', "the exchange's id of the update", '', { type: 'int64' }],
    ]),
    ...columnsOf(
      { null_rule: NEVER, source: SOURCE },
      LOB_COLUMNS.map((name) => {
        const [side, what, rank] = name.split('_') as [string, string, string]
        const is_price = what === 'price'
        return [
          name,
          is_price ? 'quote asset' : 'base asset',
          `${is_price ? 'price' : 'quantity'} of the ${side} at level ${rank}`,
          `${is_price ? 'p' : 'Q'}${side[0]}_${rank}`,
        ]
      }),
    ),
    ...columnsOf(
      {
        source: SOURCE,
        null_rule:
          'a gap, an unknown book, a book with fewer levels or the end of the day comes before ' +
          'as many updates',
      },
      LOB_HORIZONS.map((horizon) => [
        labelName(horizon),
        '1',
        `return from the mid to the mean of the mids after the next ${horizon} updates`,
        `(mean of m_(t+1) .. m_(t+${horizon}) - m_t) / m_t, m = (ask_price_1 + bid_price_1) / 2`,
      ]),
    ),
  ],
}
