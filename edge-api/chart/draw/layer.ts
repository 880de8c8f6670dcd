/** What is drawn in the pane of prices, behind or before the bars. */
import type {
  IPanePrimitive,
  IPanePrimitivePaneView,
  IPrimitivePaneRenderer,
  Time,
} from 'lightweight-charts'
import type { Palette } from './palette.ts'

export type Target = Parameters<IPrimitivePaneRenderer['draw']>[0]

/** Places on the pane [CSS pixels]. */
export interface Axes {
  xOf(ts: number): number
  /** Null while there are no prices. */
  yOf(price: number): number | null
}

export abstract class Layer
  implements IPanePrimitive<Time>, IPanePrimitivePaneView, IPrimitivePaneRenderer
{
  protected readonly axes: Axes
  readonly #views = [this]
  palette: Palette

  constructor(axes: Axes, palette: Palette) {
    this.axes = axes
    this.palette = palette
  }

  paneViews(): readonly IPanePrimitivePaneView[] {
    return this.#views
  }

  renderer(): IPrimitivePaneRenderer {
    return this
  }

  zOrder(): 'bottom' {
    return 'bottom'
  }

  abstract draw(target: Target): void
}
