/** Places of the axis as the series of the chart take them. */
import type {
  AutoscaleInfo,
  BaselineData,
  HistogramData,
  Time,
  UTCTimestamp,
  WhitespaceData,
} from 'lightweight-charts'
import { SECOND_US } from '#core/time.ts'
import type { Slot } from '../data/slots.ts'
import type { Palette } from './palette.ts'
import type { PriceItem } from './price-series.ts'

export type Item<T> = T | WhitespaceData<Time>

const timeOf = ({ ts }: Slot): UTCTimestamp => (ts / SECOND_US) as UTCTimestamp

/** Without the line of zero in view its two colours would mean nothing. */
export function withZero(own: () => AutoscaleInfo | null): AutoscaleInfo | null {
  const info = own()
  const range = info?.priceRange ?? null
  if (info === null || range === null) return info
  const { minValue, maxValue } = range
  return {
    ...info,
    priceRange: { minValue: Math.min(0, minValue), maxValue: Math.max(0, maxValue) },
  }
}

export function priceItem(slot: Slot, { up, down }: Palette): Item<PriceItem> {
  const time = timeOf(slot)
  const { candle, footprint } = slot
  if (candle === undefined) return { time }
  return { time, candle, footprint, color: candle.close >= candle.open ? up : down }
}

export function volumeItem(slot: Slot, palette: Palette): Item<HistogramData<Time>> {
  const time = timeOf(slot)
  if (slot.candle === undefined) return { time }
  const { buy_volume, sell_volume } = slot.candle
  const color = slot.delta >= 0 ? palette.volume_up : palette.volume_down
  return { time, value: buy_volume + sell_volume, color }
}

export function deltaItem(slot: Slot): Item<BaselineData<Time>> {
  const time = timeOf(slot)
  return slot.candle === undefined ? { time } : { time, value: slot.delta_sum }
}

/** `2026-11-28 14:05` */
export function timeText(ts: number): string {
  return new Date(ts / 1_000).toISOString().slice(0, 16).replace('T', ' ')
}
