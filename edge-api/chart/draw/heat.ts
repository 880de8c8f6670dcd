/**
 * The heatmap of resting liquidity. Rows are painted once into tiles, one pixel per interval and
 * price bin; a frame only stretches the tiles.
 */
import type { HeatRow } from '../data/heat.ts'
import { Layer, type Target } from './layer.ts'

export interface HeatView {
  readonly rows: readonly HeatRow[]
  readonly interval_us: number
  /** Of a price bin. */
  readonly step: number
}

interface Tile {
  readonly canvas: HTMLCanvasElement
  readonly from: number
  readonly to: number
  readonly low: number
  readonly high: number
}

const TILE_ROWS = 120
/** Bins that a tile may be high. */
const TILE_BINS_MAX = 4_000
const ALPHA_MAX = 190

export class HeatLayer extends Layer {
  #tiles: readonly Tile[] = []
  #view: HeatView | undefined

  set(view: HeatView | undefined): void {
    if (view === this.#view) return
    this.#view = view
    this.#tiles = view === undefined ? [] : tilesOf(view, this.palette.heat)
  }

  repaint(): void {
    if (this.#view !== undefined) this.#tiles = tilesOf(this.#view, this.palette.heat)
  }

  draw(target: Target): void {
    target.useBitmapCoordinateSpace(
      ({ context, bitmapSize, horizontalPixelRatio: ratio_x, verticalPixelRatio: ratio_y }) => {
        context.imageSmoothingEnabled = false
        for (const { canvas, from, to, low, high } of this.#tiles) {
          const [left, right] = [this.axes.xOf(from) * ratio_x, this.axes.xOf(to) * ratio_x]
          const [top, bottom] = [this.axes.yOf(high), this.axes.yOf(low)]
          if (right < 0 || left > bitmapSize.width || top === null || bottom === null) continue
          const height = (bottom - top) * ratio_y
          context.drawImage(canvas, left, top * ratio_y, right - left, height)
        }
      },
    )
  }
}

function tilesOf({ rows, interval_us, step }: HeatView, colour: HeatLayer['palette']['heat']) {
  const full = strength(rows)
  const tiles: Tile[] = []
  for (let start = 0; start < rows.length; start += TILE_ROWS) {
    const part = rows.slice(start, start + TILE_ROWS)
    const prices = part.flatMap(({ price }) => [...price])
    if (prices.length === 0) continue
    const low = prices.reduce((a, b) => Math.min(a, b))
    const high = prices.reduce((a, b) => Math.max(a, b)) + step
    const [from, to] = [part[0]!.ts, part.at(-1)!.ts + interval_us]
    const canvas = document.createElement('canvas')
    canvas.width = Math.round((to - from) / interval_us)
    canvas.height = Math.min(TILE_BINS_MAX, Math.max(1, Math.round((high - low) / step)))
    const context = canvas.getContext('2d')!
    const image = context.createImageData(canvas.width, canvas.height)
    for (const { ts, price, qty } of part) {
      const x = Math.round((ts - from) / interval_us)
      for (let i = 0; i < price.length; i++) {
        const y = canvas.height - 1 - Math.round((price[i]! - low) / step)
        if (y < 0) continue
        const at = 4 * (y * canvas.width + x)
        image.data.set(colour, at)
        image.data[at + 3] = Math.round(ALPHA_MAX * Math.min(1, qty[i]! / full))
      }
    }
    context.putImageData(image, 0, 0)
    tiles.push({ canvas, from, to, low, high })
  }
  return tiles
}

/** The quantity that is painted at full strength: 19 of 20 bins have less. */
function strength(rows: readonly HeatRow[]): number {
  const sample: number[] = []
  const stride = Math.max(1, Math.floor(rows.length / 200))
  for (let i = 0; i < rows.length; i += stride) sample.push(...rows[i]!.qty)
  sample.sort((a, b) => a - b)
  return sample[Math.floor(sample.length * 0.95)] || 1
}
