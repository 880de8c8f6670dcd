/**
 * Registry of signals: definition, parameters, source and null rule of each kind, and the columns
 * of their rows. The dataset, the manifest, /v1/signals and docs/signals.md are generated from it.
 */
import type { Feature } from '../features/column.ts'
import { columnsOf, keyColumns, NEVER } from '../features/column.ts'
import type { FeatureSet } from '../features.ts'
import { nearest } from '../decimals.ts'
import {
  ABSORPTION,
  BINS_OF_BAR,
  DIVERGENCE,
  EXHAUSTION,
  LARGE_TRADE,
  LOOKBACK_BARS,
  LOOKBACK_BARS_MIN,
  SIGNALS_VERSION,
  STACKED,
  WALL,
} from './parameters.ts'
import { type DetailName, SIGNAL_KINDS, type SignalKind } from './signal.ts'

export interface SignalDefinition {
  readonly title: string
  /** What has to hold, exactly. */
  readonly definition: string
  /** `ts` of the row. */
  readonly known_at: string
  readonly side: string
  readonly prices: string
  readonly strength: string
  readonly details: readonly DetailName[]
  readonly parameters: Readonly<Record<string, number>>
  readonly source: string
  /** When there is no signal whatever happened. */
  readonly null_rule: string
}

const BAR_END = 'the end of the bar'
const NO_LOOKBACK =
  `fewer than ${LOOKBACK_BARS_MIN} bars in the lookback, an open gap in the trades touches the ` +
  'bar, or the tick size is not known'
const BAR_PARAMETERS = { lookback_bars: LOOKBACK_BARS, lookback_bars_min: LOOKBACK_BARS_MIN }
const BIN_PARAMETERS = { ...BAR_PARAMETERS, bins_of_bar: BINS_OF_BAR }
const NO_WALL =
  `a side has fewer than ${WALL.levels} levels, a second without a row of orderbook_topn breaks ` +
  `the chain, and the last ${WALL.quiet_s} seconds of a UTC day have none`
const WALL_KNOWN =
  'the first update after the second in which the book was seen (bar_ts): it shows that nothing ' +
  'was missed'
const WALL_PARAMETERS = {
  levels: WALL.levels,
  ratio: nearest(WALL.ratio),
  samples: WALL.samples,
}

export const SIGNALS: { readonly [kind in SignalKind]: SignalDefinition } = {
  stacked_imbalance: {
    title: 'Stacked imbalance',
    definition:
      `A run of at least ${STACKED.bins_min} neighbouring bins in each of which buyers outweigh ` +
      `sellers across the diagonal: the quantity bought is above 0 and at least ` +
      `${nearest(STACKED.ratio)} times the quantity sold in the bin below (for sellers: sold, ` +
      'against bought in the bin above). A bin without trades inside the bar counts as 0; outside ' +
      'the bar there is nothing to compare with. The winning side traded at least ' +
      `1/${nearest(STACKED.volume_part)} of the bar's volume in the run. One signal per run.`,
    known_at: BAR_END,
    side: 'buy: the buyers outweigh',
    prices: 'of the run',
    strength: 'bins of the run',
    details: ['bin_ticks', 'qty', 'volume'],
    parameters: {
      ...BIN_PARAMETERS,
      bins_min: STACKED.bins_min,
      ratio: nearest(STACKED.ratio),
      volume_part: nearest(STACKED.volume_part),
    },
    source:
      'M. Valtos, Trading Order Flow (2015), "stacked imbalances"; T. Dale, Order Flow: Trading ' +
      'Setups (2021); ATAS help, indicator "Stacked Imbalance"',
    null_rule: NO_LOOKBACK,
  },
  absorption: {
    title: 'Absorption',
    definition:
      `The bar's volume is at least ${nearest(ABSORPTION.volume_numerator)}/` +
      `${nearest(ABSORPTION.volume_denominator)} of the lookback's median volume, its absolute ` +
      `delta is at least 1/${nearest(ABSORPTION.delta_part)} of its volume, and it closes against ` +
      'its delta: sellers pushed (delta < 0) and close >= open, or buyers pushed (delta > 0) and ' +
      'close <= open.',
    known_at: BAR_END,
    side: 'buy: resting bids took what sellers sold',
    prices: 'the bin in which the pushing takers traded most; of equal ones the lowest',
    strength: 'absolute delta / volume',
    details: ['bin_ticks', 'volume', 'reference_qty', 'delta'],
    parameters: {
      ...BIN_PARAMETERS,
      volume_ratio: nearest(ABSORPTION.volume_numerator) / nearest(ABSORPTION.volume_denominator),
      delta_part: nearest(ABSORPTION.delta_part),
    },
    source:
      'effort against result: R. Wyckoff, Studies in Tape Reading (1910); T. Dale, Order Flow: ' +
      'Trading Setups (2021), "absorption"; the thresholds are ours',
    null_rule: NO_LOOKBACK,
  },
  exhaustion: {
    title: 'Exhaustion',
    definition:
      "The bar's high is above every high of the lookback. Its three highest bins are neighbours, " +
      'the quantity bought falls strictly from the third to the second to the highest, the ' +
      `highest has at most 1/${nearest(EXHAUSTION.part)} of the third, and the bar closes below ` +
      'the highest bin. At a low: the same with the lows, the lowest bins and the quantity sold, ' +
      'and the bar closes above the lowest bin.',
    known_at: BAR_END,
    side: 'sell: buyers ran out at a high',
    prices: 'the outermost bin',
    strength: '1 - quantity of the outermost bin / of the third',
    details: ['bin_ticks', 'qty', 'reference_qty'],
    parameters: { ...BIN_PARAMETERS, part: nearest(EXHAUSTION.part) },
    source: 'M. Valtos, Trading Order Flow (2015), "exhaustion print"; the thresholds are ours',
    null_rule: NO_LOOKBACK,
  },
  delta_divergence: {
    title: 'Delta divergence',
    definition:
      "The bar's high is above every high of the lookback and its delta is below 0, or its low is " +
      'below every low of the lookback and its delta is above 0. The absolute delta is at least ' +
      `1/${nearest(DIVERGENCE.delta_part)} of the volume.`,
    known_at: BAR_END,
    side: 'sell: a high on selling takers',
    prices: 'the high or low',
    strength: 'absolute delta / volume',
    details: ['volume', 'delta', 'reference_price'],
    parameters: { ...BAR_PARAMETERS, delta_part: nearest(DIVERGENCE.delta_part) },
    source:
      'T. Dale, Order Flow: Trading Setups (2021), "delta divergence"; Sierra Chart, Numbers Bars ' +
      'documentation, "delta/price divergence"',
    null_rule: NO_LOOKBACK,
  },
  unfinished_auction: {
    title: 'Unfinished auction',
    definition:
      "The bar's high is above every high of the lookback, and at its very price both buyers and " +
      'sellers were takers: an auction that ends there trades on one side only. At a low below ' +
      'every low of the lookback: the same.',
    known_at: BAR_END,
    side: 'buy: unfinished at a high, which draws the price back up to it',
    prices: 'the high or low',
    strength: 'the smaller of both quantities / the larger, 0 to 1',
    details: ['buy_qty', 'sell_qty', 'reference_price'],
    parameters: BAR_PARAMETERS,
    source:
      'J. Dalton, Mind over Markets (1990), "unfinished auction"; ATAS help, indicator ' +
      '"Unfinished Auction"',
    null_rule: NO_LOOKBACK,
  },
  large_trade: {
    title: 'Large trade',
    definition:
      `A trade whose quantity is at least ${nearest(LARGE_TRADE.ratio)} times the mean quantity of ` +
      `the trades in the finished minutes among the ${LOOKBACK_BARS} before its own. Trades are ` +
      'rows of the recorded stream: aggregates, or single fills.',
    known_at: 'the trade',
    side: 'buy: the taker bought',
    prices: 'the price',
    strength: 'quantity / mean quantity',
    details: ['qty', 'reference_qty', 'trade_id'],
    parameters: {
      lookback_minutes: LOOKBACK_BARS,
      lookback_minutes_min: LOOKBACK_BARS_MIN,
      trades_min: LARGE_TRADE.trades_min,
      ratio: nearest(LARGE_TRADE.ratio),
    },
    source: 'ATAS help, indicator "Big Trades"; the threshold is ours',
    null_rule:
      `fewer than ${LOOKBACK_BARS_MIN} minutes with trades, or fewer than ` +
      `${LARGE_TRADE.trades_min} trades, in the lookback; or an open gap in the trades between`,
  },
  wall_appeared: {
    title: 'Wall appeared',
    definition:
      `A level among the best ${WALL.levels} of its side has at least ${nearest(WALL.ratio)} times ` +
      `their median quantity at ${WALL.samples} whole seconds in a row. A second before them the ` +
      'price was in view without a wall, and it had none in the ' +
      `${WALL.rest_s} seconds before. In view: not beyond the last of the ${WALL.levels} levels.`,
    known_at: WALL_KNOWN,
    side: 'buy: a wall of bids',
    prices: 'the level',
    strength: 'quantity / median',
    details: ['qty', 'reference_qty'],
    parameters: { ...WALL_PARAMETERS, rest_s: WALL.rest_s },
    source:
      'there is no standard; the ratio is that of orderbook_topn; the idea as in Bookmap, "large ' +
      'lots" and "liquidity"',
    null_rule: NO_WALL,
  },
  wall_pulled: {
    title: 'Wall pulled',
    definition:
      `A level was a wall for at least ${WALL.samples} whole seconds in a row, and lost at least ` +
      `1/${nearest(WALL.fall_part)} of its quantity up to the next one, in which its price is in ` +
      `view. Takers traded at most 1/${nearest(WALL.traded_part)} of the loss at its price in that ` +
      'second: the rest was cancelled.',
    known_at: WALL_KNOWN,
    side: 'sell: a wall of bids was pulled',
    prices: 'the level',
    strength: 'loss / quantity before',
    details: ['qty', 'reference_qty', 'qty_after', 'traded_qty'],
    parameters: {
      ...WALL_PARAMETERS,
      fall_part: nearest(WALL.fall_part),
      traded_part: nearest(WALL.traded_part),
    },
    source:
      'there is no standard; the idea as in E. Lee, K. Eom & K. Park (2013), Microstructure-based ' +
      'manipulation: Strategic behavior and performance of spoofing traders, J. Financial Markets 16',
    null_rule: `${NO_WALL}; or an open gap in the trades touches the second`,
  },
}

const kindsWith = (name: DetailName): string =>
  SIGNAL_KINDS.filter((kind) => SIGNALS[kind].details.includes(name)).join(', ')

const detail = (name: DetailName, unit: string, description: string): Feature => ({
  name,
  type: name === 'bin_ticks' || name === 'trade_id' ? 'int64' : 'float64',
  unit,
  description,
  formula: '',
  source: 'definition',
  null_rule: `kind is not one of: ${kindsWith(name)}`,
})

/** In the order of DETAIL_NAMES. */
export const DETAIL_COLUMNS: readonly Feature[] = [
  detail('bin_ticks', 'ticks', 'width of the bins'),
  detail('volume', 'base asset', 'quantity traded in the bar'),
  detail('delta', 'base asset', 'bought minus sold quantity of the bar'),
  detail('qty', 'base asset', 'the quantity that the signal is about'),
  detail('reference_qty', 'base asset', 'what the quantity is compared with'),
  detail('qty_after', 'base asset', 'quantity of the level a second later'),
  detail('traded_qty', 'base asset', 'quantity that takers traded at the level in that second'),
  detail('buy_qty', 'base asset', 'quantity bought at the price'),
  detail('sell_qty', 'base asset', 'quantity sold at the price'),
  detail('reference_price', 'quote asset', 'the extreme of the lookback that the bar exceeded'),
  detail('trade_id', 'id', 'agg_trade_id of the trade'),
]

const words = (name: string, values: readonly string[], description: string): Feature => ({
  name,
  type: 'string',
  unit: 'name',
  description,
  formula: '',
  source: 'definition',
  null_rule: NEVER,
  words: values.toSorted(),
})

const NOT_A_BAR = 'the signal is not of a bar'

export const SIGNALS_SET: FeatureSet = {
  dataset: 'signals',
  schema_version: SIGNALS_VERSION,
  description:
    'Signals of every symbol: what the footprint or the book showed, at the time when it was ' +
    'known. Sorted by exchange, symbol, ts, id.',
  columns: [
    ...keyColumns('0').map((column) =>
      column.name === 'ts'
        ? { ...column, description: 'when the signal was known', formula: '' }
        : column,
    ),
    ...columnsOf({ null_rule: NEVER }, [
      [
        'id',
        'id',
        'hash of the other values of the row, the same in every rebuild',
        'first 53 bits of sha256',
        { type: 'int64' },
      ],
    ]),
    words('kind', SIGNAL_KINDS, 'kind of signal; docs/signals.md defines each'),
    ...columnsOf({ null_rule: NOT_A_BAR }, [
      ['interval_s', 's', 'length of the bar: 60 or 300', '', { type: 'int64' }],
      [
        'bar_ts',
        'UTC',
        'start of the bar; for walls the second in which the book was seen',
        '',
        { type: 'timestamp_us', null_rule: 'kind is large_trade' },
      ],
    ]),
    words('side', ['buy', 'sell'], 'the direction that it speaks for; buy: rising prices'),
    ...columnsOf({ null_rule: NEVER }, [
      ['price_low', 'quote asset', 'lowest price that it is about', ''],
      ['price_high', 'quote asset', 'highest price that it is about', ''],
      ['strength', '1', 'greater is stronger; docs/signals.md says what it is per kind', ''],
      ['version', '1', 'version of the definitions', '', { type: 'int64' }],
    ]),
    ...DETAIL_COLUMNS,
  ],
}
