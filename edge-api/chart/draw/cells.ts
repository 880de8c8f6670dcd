/** The cells of one footprint bar, with its point of control, value area and imbalances. */
import type { PriceToCoordinateConverter } from 'lightweight-charts'
import type { Candle } from '../data/candles.ts'
import {
  BUY_IMBALANCE,
  type Footprint,
  IN_VALUE_AREA,
  POINT_OF_CONTROL,
  SELL_IMBALANCE,
} from '../data/clusters.ts'
import type { Mode } from '../view/view.ts'
import { type Palette, SHADES } from './palette.ts'

/** Sizes are of bitmap pixels; `ratio_x` of them are one CSS pixel. */
export interface Canvas {
  readonly context: CanvasRenderingContext2D
  readonly height: number
  readonly ratio_x: number
  readonly ratio_y: number
  readonly yOf: PriceToCoordinateConverter
}

/** CSS pixels. */
const TEXT = { width: 46, both_width: 84, height: 11, size: 10.5 }
const CANDLE_PX = 5

export class CellPainter {
  #canvas!: Canvas
  #palette!: Palette
  #mode: Mode = 'delta'
  #width = 0
  #texts = new Map<number, string>()

  /** For the bars of one frame, `width` apart. */
  begin(canvas: Canvas, mode: Mode, palette: Palette, width: number): void {
    this.#canvas = canvas
    this.#mode = mode
    this.#palette = palette
    this.#width = width
    if (this.#texts.size > 50_000) this.#texts.clear()
  }

  draw(centre: number, candle: Candle, bar: Footprint): void {
    const { context, yOf, ratio_x, ratio_y, height } = this.#canvas
    const { price, step } = bar
    const gap = this.#width >= 12 * ratio_x ? Math.round(2 * ratio_x) : this.#width >= 6 ? 1 : 0
    const left = Math.round(centre - this.#width / 2)
    const right = Math.round(centre + this.#width / 2) - gap
    const body = this.#candle(left, right, candle)
    // The price scale is linear.
    const origin = yOf(price[0]!)! * ratio_y
    const slope = (yOf(price[0]! + step)! * ratio_y - origin) / step
    const rows = Math.abs(slope * step)
    const has_text =
      right - body >= (this.#mode === 'bidask' ? TEXT.both_width : TEXT.width) * ratio_x &&
      rows >= TEXT.height * ratio_y
    const line = rows >= 4 * ratio_y ? 1 : 0
    if (has_text) {
      context.font = `${TEXT.size * ratio_y}px system-ui, 'DejaVu Sans', sans-serif`
      context.textBaseline = 'middle'
    }
    for (let i = 0; i < price.length; i++) {
      const bottom = Math.round(origin + slope * (price[i]! - price[0]!))
      const top = Math.round(origin + slope * (price[i]! - price[0]! + step))
      if (bottom < 0 || top > height) continue
      this.#cell(bar, i, body, right, top, Math.max(1, bottom - top - line), has_text)
    }
  }

  /** A narrow candle at the left of the cells. Returns where the cells begin. */
  #candle(left: number, right: number, { open, high, low, close }: Candle): number {
    const { context, yOf, ratio_x, ratio_y } = this.#canvas
    if (right - left < 22 * ratio_x) return left
    const width = Math.round(CANDLE_PX * ratio_x) | 1
    const [top, bottom] = [yOf(high)! * ratio_y, yOf(low)! * ratio_y]
    const [from, to] = [
      yOf(Math.max(open, close))! * ratio_y,
      yOf(Math.min(open, close))! * ratio_y,
    ]
    context.fillStyle = close >= open ? this.#palette.up : this.#palette.down
    context.fillRect(left + (width >> 1), Math.round(top), 1, Math.max(1, Math.round(bottom - top)))
    context.fillRect(left, Math.round(from), width, Math.max(1, Math.round(to - from)))
    return left + width + Math.round(2 * ratio_x)
  }

  #cell(
    bar: Footprint,
    i: number,
    left: number,
    right: number,
    top: number,
    height: number,
    has_text: boolean,
  ): void {
    const { context, ratio_x } = this.#canvas
    const palette = this.#palette
    const [buy, sell, flag] = [bar.buy[i]!, bar.sell[i]!, bar.flags[i]!]
    const delta = buy - sell
    const volume = buy + sell
    const width = right - left
    if (this.#mode === 'volume') {
      const share = volume / bar.volume_max
      context.fillStyle = palette.neutral[shadeOf(flag & IN_VALUE_AREA ? share : share / 2)]!
      context.fillRect(left, top, width, height)
    } else {
      const ramp = delta >= 0 ? palette.buy : palette.sell
      context.fillStyle = ramp[shadeOf(Math.abs(delta) / (bar.delta_max || 1))]!
      context.fillRect(left, top, width, height)
    }
    const edge = Math.max(1, Math.round(1.5 * ratio_x))
    if (width >= 8 * ratio_x) this.#marks(flag, left, right, top, height, edge)
    if (!has_text) return
    const middle = top + height / 2
    if (this.#mode !== 'bidask') {
      context.textAlign = 'center'
      context.fillStyle = palette.text
      const value = this.#mode === 'delta' ? delta : volume
      context.fillText(this.#text(value), left + width / 2, middle)
      return
    }
    const centre = left + width / 2
    context.textAlign = 'right'
    context.fillStyle = flag & SELL_IMBALANCE ? palette.sell_text : palette.text
    context.fillText(this.#text(sell), centre - 4 * ratio_x, middle)
    context.textAlign = 'left'
    context.fillStyle = flag & BUY_IMBALANCE ? palette.buy_text : palette.text
    context.fillText(this.#text(buy), centre + 4 * ratio_x, middle)
  }

  /** Value area at the left edge, imbalances at both, a frame around the point of control. */
  #marks(
    flag: number,
    left: number,
    right: number,
    top: number,
    height: number,
    edge: number,
  ): void {
    const { context } = this.#canvas
    const { accent, down, up } = this.#palette
    if (flag & SELL_IMBALANCE) {
      context.fillStyle = down
      context.fillRect(left, top, 2 * edge, height)
    }
    if (flag & BUY_IMBALANCE) {
      context.fillStyle = up
      context.fillRect(right - 2 * edge, top, 2 * edge, height)
    }
    if (!(flag & POINT_OF_CONTROL)) return
    context.fillStyle = accent
    context.fillRect(left, top, right - left, 1)
    context.fillRect(left, top + height - 1, right - left, 1)
    context.fillRect(left, top, 1, height)
    context.fillRect(right - 1, top, 1, height)
  }

  #text(value: number): string {
    let text = this.#texts.get(value)
    if (text === undefined) {
      text = shortNumber(value)
      this.#texts.set(value, text)
    }
    return text
  }
}

function shadeOf(share: number): number {
  return Math.min(SHADES - 1, Math.max(0, Math.round(Math.sqrt(share) * (SHADES - 1))))
}

/** At most three digits that count, with k, M or G: 12.3k. */
export function shortNumber(value: number): string {
  const size = Math.abs(value)
  if (size === 0) return '0'
  if (size >= 1_000) {
    const exponent = Math.min(3, Math.floor(Math.log10(size) / 3))
    return `${trimmed(value / 1_000 ** exponent)}${['', 'k', 'M', 'G'][exponent]}`
  }
  return size < 0.001 ? value.toExponential(0) : trimmed(value)
}

function trimmed(value: number): string {
  const size = Math.abs(value)
  const decimals = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3
  return String(Number(value.toFixed(decimals)))
}
