/** The intervals of candles and footprint bars. Each divides the next, and a UTC day. */
import { DAY_US, HOUR_US, SECOND_US } from '../time.ts'

export const INTERVALS = ['1m', '5m', '15m', '1h', '4h', '1d'] as const
export type Interval = (typeof INTERVALS)[number]

export const MINUTE_US = 60 * SECOND_US

export const INTERVAL_US: { readonly [interval in Interval]: number } = {
  '1m': MINUTE_US,
  '5m': 5 * MINUTE_US,
  '15m': 15 * MINUTE_US,
  '1h': HOUR_US,
  '4h': 4 * HOUR_US,
  '1d': DAY_US,
}
