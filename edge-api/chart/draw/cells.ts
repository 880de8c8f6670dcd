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
import { Raster } from './raster.ts'

/** Sizes are of bitmap pixels; `ratio_x` of them are one CSS pixel. */
export interface Canvas {
  readonly context: CanvasRenderingContext2D
  readonly width: number
  readonly height: number
  readonly ratio_x: number
  readonly ratio_y: number
  readonly yOf: PriceToCoordinateConverter
}

/** CSS pixels. */
const TEXT = { width: 46, both_width: 84, height: 11, size: 10.5 }
const CANDLE_PX = 5

/** Colours of cells as the raster takes them. */
interface Colours {
  readonly buy: readonly number[]
  readonly sell: readonly number[]
  readonly neutral: readonly number[]
  readonly up: number
  readonly down: number
  readonly accent: number
}

/** A bar whose cells have room for numbers. */
interface Lettered {
  readonly bar: Footprint
  readonly left: number
  readonly right: number
  readonly rows: Rows
}

/** Where the cells of a bar are: `origin` is the lower edge of the first, `slope` per price. */
interface Rows {
  readonly origin: number
  readonly slope: number
}

export class CellPainter {
  readonly #raster = new Raster()
  #canvas!: Canvas
  #palette: Palette | undefined
  #colours!: Colours
  #mode: Mode = 'delta'
  #width = 0
  #lettered: Lettered[] = []
  #texts = new Map<number, string>()

  /** For the bars of one frame, `width` apart. */
  begin(canvas: Canvas, mode: Mode, palette: Palette, width: number): void {
    this.#canvas = canvas
    this.#mode = mode
    this.#width = width
    this.#lettered = []
    if (palette !== this.#palette) this.#colours = coloursOf(this.#raster, palette)
    this.#palette = palette
    this.#raster.begin(canvas.width, canvas.height)
    if (this.#texts.size > 50_000) this.#texts.clear()
  }

  draw(centre: number, candle: Candle, bar: Footprint): void {
    const { yOf, ratio_x, ratio_y, height } = this.#canvas
    const { price, step } = bar
    const gap = this.#width >= 12 * ratio_x ? Math.round(2 * ratio_x) : this.#width >= 6 ? 1 : 0
    const outer = Math.round(centre - this.#width / 2)
    const right = Math.round(centre + this.#width / 2) - gap
    const left = this.#candle(outer, right, candle)
    // The price scale is linear.
    const origin = yOf(price[0]!)! * ratio_y
    const slope = (yOf(price[0]! + step)! * ratio_y - origin) / step
    const row_px = Math.abs(slope * step)
    const text_px = this.#mode === 'bidask' ? TEXT.both_width : TEXT.width
    if (right - left >= text_px * ratio_x && row_px >= TEXT.height * ratio_y) {
      this.#lettered.push({ bar, left, right, rows: { origin, slope } })
    }
    const line = row_px >= 4 * ratio_y ? 1 : 0
    const has_marks = right - left >= 8 * ratio_x
    for (let i = 0; i < price.length; i++) {
      const bottom = Math.round(origin + slope * (price[i]! - price[0]!))
      const top = Math.round(origin + slope * (price[i]! - price[0]! + step))
      if (bottom < 0 || top > height) continue
      const cell_px = Math.max(1, bottom - top - line)
      this.#raster.fill(left, top, right - left, cell_px, this.#shadeOf(bar, i))
      if (has_marks) this.#mark(bar.flags[i]!, left, right, top, cell_px)
    }
  }

  /** After the last bar of the frame. */
  end(): void {
    const { context, ratio_y } = this.#canvas
    this.#raster.paint(context)
    if (this.#lettered.length === 0) return
    context.font = `${TEXT.size * ratio_y}px system-ui, 'DejaVu Sans', sans-serif`
    context.textBaseline = 'middle'
    for (const one of this.#lettered) this.#write(one)
  }

  /** A narrow candle at the left of the cells. Returns where the cells begin. */
  #candle(left: number, right: number, { open, high, low, close }: Candle): number {
    const { yOf, ratio_x, ratio_y } = this.#canvas
    if (right - left < 22 * ratio_x) return left
    const width = Math.round(CANDLE_PX * ratio_x) | 1
    const at = (price: number): number => Math.round(yOf(price)! * ratio_y)
    const [top, bottom] = [at(high), at(low)]
    const [from, to] = [at(Math.max(open, close)), at(Math.min(open, close))]
    const colour = close >= open ? this.#colours.up : this.#colours.down
    this.#raster.fill(left + (width >> 1), top, 1, Math.max(1, bottom - top), colour)
    this.#raster.fill(left, from, width, Math.max(1, to - from), colour)
    return left + width + Math.round(2 * ratio_x)
  }

  #shadeOf(bar: Footprint, i: number): number {
    const [buy, sell] = [bar.buy[i]!, bar.sell[i]!]
    const { neutral, buy: buyers, sell: sellers } = this.#colours
    if (this.#mode === 'volume') {
      const share = (buy + sell) / bar.volume_max
      return neutral[shadeAt(bar.flags[i]! & IN_VALUE_AREA ? share : share / 2)]!
    }
    const shades = buy >= sell ? buyers : sellers
    return shades[shadeAt(Math.abs(buy - sell) / (bar.delta_max || 1))]!
  }

  /** Imbalances at the edges, a frame around the point of control. */
  #mark(flag: number, left: number, right: number, top: number, height: number): void {
    const raster = this.#raster
    const { accent, down, up } = this.#colours
    const edge = 2 * Math.max(1, Math.round(1.5 * this.#canvas.ratio_x))
    if (flag & SELL_IMBALANCE) raster.fill(left, top, edge, height, down)
    if (flag & BUY_IMBALANCE) raster.fill(right - edge, top, edge, height, up)
    if (!(flag & POINT_OF_CONTROL)) return
    raster.fill(left, top, right - left, 1, accent)
    raster.fill(left, top + height - 1, right - left, 1, accent)
    raster.fill(left, top, 1, height, accent)
    raster.fill(right - 1, top, 1, height, accent)
  }

  #write({ bar, left, right, rows: { origin, slope } }: Lettered): void {
    const { context, ratio_x, height } = this.#canvas
    const { text, buy_text, sell_text } = this.#palette!
    const { price, buy, sell, flags, step } = bar
    const centre = (left + right) / 2
    for (let i = 0; i < price.length; i++) {
      const middle = origin + slope * (price[i]! - price[0]! + step / 2)
      if (middle < 0 || middle > height) continue
      if (this.#mode !== 'bidask') {
        context.textAlign = 'center'
        context.fillStyle = text
        const value = this.#mode === 'delta' ? buy[i]! - sell[i]! : buy[i]! + sell[i]!
        context.fillText(this.#text(value), centre, middle)
        continue
      }
      context.textAlign = 'right'
      context.fillStyle = flags[i]! & SELL_IMBALANCE ? sell_text : text
      context.fillText(this.#text(sell[i]!), centre - 4 * ratio_x, middle)
      context.textAlign = 'left'
      context.fillStyle = flags[i]! & BUY_IMBALANCE ? buy_text : text
      context.fillText(this.#text(buy[i]!), centre + 4 * ratio_x, middle)
    }
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

function coloursOf(raster: Raster, { buy, sell, neutral, up, down, accent }: Palette): Colours {
  const of = (text: string): number => raster.colourOf(text)
  const shades = { buy: buy.map(of), sell: sell.map(of), neutral: neutral.map(of) }
  return { ...shades, up: of(up), down: of(down), accent: of(accent) }
}

function shadeAt(share: number): number {
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
