/** Footprint bars and volume profiles, as zod schemas for the OpenAPI document. */
import { z } from '@hono/zod-openapi'
import { INTERVALS } from '#core/clusters/intervals.ts'
import { GAP_CAUSES } from '#core/market.ts'
import { count, decimal, instrumentShape, pageShape, time } from './schema-parts.ts'

const price = (description: string) => decimal(`${description} [quote asset]`, '61800.20')
const qty = (description: string) => decimal(`${description} [base asset]`, '0.500')

const cells = z
  .array(
    z.tuple([
      price('lowest price of the bin'),
      qty('quantity that takers bought'),
      qty('quantity that takers sold'),
      count.openapi({ description: 'Trades in which the taker bought.' }),
      count.openapi({ description: 'Trades in which the taker sold.' }),
    ]),
  )
  .openapi({
    description:
      '[price, buy_qty, sell_qty, buy_count, sell_count] of each bin with trades, by price, ' +
      'ascending. A bin covers bin_ticks x tick_size from its price on.',
  })

const area = {
  poc: price('Point of control: the bin with the greatest volume'),
  value_area_low: price('Lowest bin of the value area, which has 70 % of the volume'),
  value_area_high: price('Highest bin of the value area'),
}

const binTicks = z.int().min(1).openapi({ description: 'Ticks of a bin.' })

const Cluster = z
  .object({
    ts: time('Start of the interval.'),
    interval: z.enum(INTERVALS),
    tick_size: price('Smallest price step'),
    bin_ticks: binTicks,
    open: price('Price of the first trade'),
    high: price('Highest price'),
    low: price('Lowest price'),
    close: price('Price of the last trade'),
    volume: qty('Traded quantity'),
    buy_volume: qty('Quantity that takers bought'),
    sell_volume: qty('Quantity that takers sold'),
    trade_count: count,
    delta: qty('buy_volume - sell_volume'),
    cum_delta: qty('Sum of the deltas from the start of the UTC day to the end of the bar'),
    min_delta: qty('Lowest value of the running delta, which starts at 0 with the bar'),
    max_delta: qty('Highest value of the running delta'),
    ...area,
    is_unfinished_high: z.boolean().openapi({
      description: 'Both sides traded in the highest bin: the auction there is unfinished.',
    }),
    is_unfinished_low: z.boolean().openapi({ description: 'The same for the lowest bin.' }),
    buy_imbalances: z.array(price('a bin')).openapi({
      description: 'Bins whose bought quantity is at least 3 times the quantity sold a bin below.',
    }),
    sell_imbalances: z.array(price('a bin')).openapi({
      description: 'Bins whose sold quantity is at least 3 times the quantity bought a bin above.',
    }),
    is_final: z.boolean().openapi({
      description:
        'The interval is over, and no trade of it is known to be missing. A trade that arrives ' +
        'later still changes the bar.',
    }),
    cells,
  })
  .openapi('Cluster')

const OpenGap = z
  .object({
    from_ts: time(),
    to_ts: time('Null until the gap ends.').nullable(),
    cause: z.enum(GAP_CAUSES),
  })
  .openapi('OpenGap')

const openGaps = z.array(OpenGap).openapi({
  description:
    'Gaps in the recording of trades that touch the range and whose events are missing; at ' +
    'most 100. /v1/gaps has all.',
})

export const ClusterPage = z
  .object({
    ...instrumentShape,
    interval: z.enum(INTERVALS),
    ...pageShape,
    open_gaps: openGaps,
    rows: z.array(Cluster),
  })
  .openapi('ClusterPage')

export const VolumeProfile = z
  .object({
    ...instrumentShape,
    open_gaps: openGaps,
    from: time('Start of the range, a whole minute, inclusive.'),
    to: time('End of the range, a whole minute, exclusive.'),
    tick_size: price('Smallest price step'),
    bin_ticks: binTicks,
    poc: area.poc.nullable(),
    value_area_low: area.value_area_low.nullable(),
    value_area_high: area.value_area_high.nullable(),
    volume: qty('Traded quantity'),
    cells,
  })
  .openapi('VolumeProfile')
