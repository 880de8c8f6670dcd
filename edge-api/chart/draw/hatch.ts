/** Holes of the recording, hatched where they are. */
import type { Gap } from '../data/gaps.ts'
import { Layer, type Target } from './layer.ts'

/** A short hole can be seen too. */
const WIDTH_MIN_PX = 3
const STRIP_PX = 7
const SPACING_PX = 7

/** Which gaps are drawn over the whole height: those of the chart's own data. */
const isOfTrades = ({ channel }: Gap): boolean => channel === 'trades'

export class Hatch extends Layer {
  #gaps: readonly Gap[] = []
  #end = 0

  /** Gaps that have not ended reach up to `end` [us]. True if something else is to be drawn. */
  set(gaps: readonly Gap[], end: number): boolean {
    const is_same =
      gaps.length === this.#gaps.length &&
      gaps.every((gap, i) => gap === this.#gaps[i]) &&
      (end === this.#end || gaps.every(({ to }) => Number.isFinite(to)))
    this.#gaps = gaps
    this.#end = end
    return !is_same
  }

  draw(target: Target): void {
    if (this.#gaps.length === 0) return
    target.useBitmapCoordinateSpace(({ context, bitmapSize, horizontalPixelRatio: ratio }) => {
      for (const gap of this.#gaps) {
        const begin = Math.round(this.axes.xOf(gap.from) * ratio)
        const end = Math.round(this.axes.xOf(Math.min(gap.to, this.#end)) * ratio)
        const left = Math.max(-1, begin)
        const least = begin + Math.round(WIDTH_MIN_PX * ratio)
        const right = Math.min(bitmapSize.width + 1, Math.max(end, least))
        if (right <= left) continue
        const strip = Math.round(STRIP_PX * ratio)
        const top = isOfTrades(gap) ? 0 : bitmapSize.height - strip
        this.#area(context, gap, left, top, right - left, bitmapSize.height - top, ratio)
      }
    })
  }

  #area(
    context: CanvasRenderingContext2D,
    gap: Gap,
    left: number,
    top: number,
    width: number,
    height: number,
    ratio: number,
  ): void {
    const { hatch, hatch_repaired, hatch_ground } = this.palette
    const spacing = SPACING_PX * ratio
    context.save()
    context.beginPath()
    context.rect(left, top, width, height)
    context.clip()
    if (gap.is_open) {
      context.fillStyle = hatch_ground
      context.fillRect(left, top, width, height)
    }
    context.strokeStyle = gap.is_open ? hatch : hatch_repaired
    context.lineWidth = ratio
    context.beginPath()
    for (let x = left - height - (left % spacing); x < left + width; x += spacing) {
      context.moveTo(x, top + height)
      context.lineTo(x + height, top)
    }
    context.stroke()
    context.restore()
  }
}
