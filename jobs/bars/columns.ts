/** Registry of the dataset `bars`: kinds of bars, their parameters, and the columns in order. */
import { columnsOf, keyColumns, type Feature } from '#core/features/column.ts'
import { NEVER, type FeatureSet } from '#core/features.ts'

/** What a trade adds to a bar: 1, its quantity, or its value. */
export const AMOUNTS = ['tick', 'volume', 'dollar'] as const
export type Amount = (typeof AMOUNTS)[number]

/** When a bar ends: at an amount, at an imbalance of takers, or at an amount of one side. */
export const RULES = ['standard', 'imbalance', 'run'] as const
export type Rule = (typeof RULES)[number]

export interface BarKind {
  readonly name: string
  readonly amount: Amount
  readonly rule: Rule
}

/** By name, which is the order of their rows. */
export const BAR_KINDS: readonly BarKind[] = AMOUNTS.flatMap((amount) =>
  RULES.map((rule) => ({ name: rule === 'standard' ? amount : `${amount}_${rule}`, amount, rule })),
).toSorted((a, b) => (a.name < b.name ? -1 : 1))

/** In each manifest. */
export const BAR_PARAMETERS = {
  /** Thresholds are what the day before traded on average in this part of a day. */
  bars_per_day: 1_440,
  /** Span of the averages over bars that imbalance and run bars use: alpha = 2 / (span + 1). */
  ewma_span_bars: 20,
  /** The averages stay within this factor of where they began. */
  ewma_range: 10,
  /** Without a fit of the day before, the first seconds of trades replace it, and have no bars. */
  warm_up_s: 3_600,
} as const

const SOURCE =
  'López de Prado (2018), Advances in Financial Machine Learning, Wiley, ISBN 978-1-119-48208-6, ' +
  'chapter 2.3'

const [, exchange, symbol] = keyColumns('')

const ts: Feature = {
  name: 'ts',
  type: 'timestamp_us',
  unit: 'UTC',
  description: 'when the bar ended and was known: time of its last trade',
  formula: 'ts_exchange of the last trade',
  source: 'definition',
  null_rule: NEVER,
}

export const BARS: FeatureSet = {
  dataset: 'bars',
  schema_version: 1,
  description:
    'Bars of trades that end after an amount instead of a time: tick, volume and dollar bars, and ' +
    'imbalance and run bars of each amount. Sorted by exchange, symbol, kind, ts. docs/bars.md ' +
    'defines them.',
  columns: [
    ts,
    exchange!,
    symbol!,
    {
      name: 'kind',
      type: 'string',
      unit: 'name',
      description: 'kind of bar',
      formula: '',
      source: SOURCE,
      null_rule: NEVER,
      words: BAR_KINDS.map(({ name }) => name),
    },
    ...columnsOf({ null_rule: NEVER }, [
      [
        'start_ts',
        'UTC',
        'time of the first trade',
        'ts_exchange of the first trade',
        { type: 'timestamp_us' },
      ],
      ['open', 'quote asset', 'price of the first trade', 'p of the first trade by (time, id)'],
      ['high', 'quote asset', 'highest price', 'max p'],
      ['low', 'quote asset', 'lowest price', 'min p'],
      ['close', 'quote asset', 'price of the last trade', 'p of the last trade by (time, id)'],
      ['volume', 'base asset', 'quantity traded', 'sum q'],
      ['buy_volume', 'base asset', 'quantity of taker buys', 'sum q[taker bought]'],
      ['sell_volume', 'base asset', 'quantity of taker sells', 'sum q[taker sold]'],
      ['notional', 'quote asset', 'value traded', 'sum p q'],
      ['trade_count', '1', 'trades', 'count', { type: 'int64' }],
      ['vwap', 'quote asset', 'mean price by volume', 'sum p q / sum q'],
      ['first_trade_id', 'id', 'agg_trade_id of the first trade', '', { type: 'int64' }],
      ['last_trade_id', 'id', 'agg_trade_id of the last trade', '', { type: 'int64' }],
      [
        'reached',
        'of the kind',
        'what ended the bar: w is 1, q or p q, and b is 1 for taker buys, -1 for taker sells',
        'sum w; |sum b w| of imbalance bars; max(sum w[b=1], sum w[b=-1]) of run bars',
        { source: SOURCE },
      ],
      [
        'threshold',
        'of the kind',
        'what had to be reached, known at the start of the bar',
        'W / bars_per_day; E[T] E[|sum b w| / T]; E[T] max(E[sum w[b=1] / T], E[sum w[b=-1] / T])',
        { source: SOURCE },
      ],
    ]),
  ],
}
