/** The volume profile at the right side of the pane. */
import type { Profile } from '../data/profile.ts'
import { Layer, type Target } from './layer.ts'

/** Of the pane's width, for the greatest volume. */
const WIDTH_SHARE = 0.16

export class ProfileLayer extends Layer {
  profile: Profile | undefined

  draw(target: Target): void {
    const { profile, axes, palette } = this
    if (profile === undefined || profile.price.length === 0) return
    target.useBitmapCoordinateSpace(({ context, bitmapSize, verticalPixelRatio: ratio }) => {
      const { price, buy, sell, step, volume_max } = profile
      const origin = axes.yOf(price[0]!)
      const next = axes.yOf(price[0]! + step)
      if (origin === null || next === null) return
      const slope = ((next - origin) * ratio) / step
      const full = bitmapSize.width * WIDTH_SHARE
      for (let i = 0; i < price.length; i++) {
        const at = price[i]!
        const bottom = Math.round(origin * ratio + slope * (at - price[0]!))
        const top = Math.round(origin * ratio + slope * (at - price[0]! + step))
        const height = Math.max(1, bottom - top - (bottom - top >= 4 * ratio ? 1 : 0))
        const width = Math.round((full * (buy[i]! + sell[i]!)) / volume_max)
        const is_inside = at >= profile.value_area_low && at <= profile.value_area_high
        context.fillStyle = is_inside ? palette.profile_area : palette.profile
        context.fillRect(bitmapSize.width - width, top, width, height)
        if (at !== profile.poc) continue
        context.fillStyle = palette.accent
        context.fillRect(
          bitmapSize.width - width,
          top,
          width,
          Math.min(height, Math.round(2 * ratio)),
        )
      }
    })
  }
}
