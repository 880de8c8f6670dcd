/** A candle on whole pixels of the canvas. */
import type { Candle } from '../data/candles.ts'
import type { Canvas } from './cells.ts'
import type { Palette } from './palette.ts'

/** `centre` and `width` of the bar's place [bitmap pixels]. */
export function drawCandle(
  { context, yOf, ratio_y }: Canvas,
  { up, down }: Palette,
  centre: number,
  width: number,
  { open, high, low, close }: Candle,
): void {
  const top = Math.round(yOf(high)! * ratio_y)
  const bottom = Math.round(yOf(low)! * ratio_y)
  const from = Math.round(yOf(Math.max(open, close))! * ratio_y)
  const to = Math.round(yOf(Math.min(open, close))! * ratio_y)
  // An odd width has a middle pixel for the wick.
  const body = Math.max(1, Math.floor(width * 0.72) | 1)
  const left = Math.round(centre) - (body >> 1)
  context.fillStyle = close >= open ? up : down
  context.fillRect(Math.round(centre), top, 1, Math.max(1, bottom - top))
  context.fillRect(left, from, body, Math.max(1, to - from))
}
