/**
 * The price series: candles, or where there is room the cells of footprints. Cells are plain
 * rectangles on whole pixels, with numbers only where they can be read.
 */
import type {
  CustomData,
  CustomSeriesOptions,
  CustomSeriesPricePlotValues,
  CustomSeriesWhitespaceData,
  ICustomSeriesPaneRenderer,
  ICustomSeriesPaneView,
  PaneRendererCustomData,
  PriceToCoordinateConverter,
  Time,
} from 'lightweight-charts'
import { customSeriesDefaultOptions } from 'lightweight-charts'
import type { Candle } from '../data/candles.ts'
import type { Footprint } from '../data/clusters.ts'
import type { Mode } from '../view/view.ts'
import { drawCandle } from './candle.ts'
import { type Canvas, CellPainter } from './cells.ts'
import { type Palette, PALETTES } from './palette.ts'

export interface PriceItem extends CustomData<Time> {
  readonly candle: Candle
  readonly footprint: Footprint | undefined
}

export interface PriceOptions extends CustomSeriesOptions {
  mode: Mode
  palette: Palette
}

/** Narrower bars are drawn as candles [CSS pixels]. */
export const CELLS_FROM_PX = 5

type Target = Parameters<ICustomSeriesPaneRenderer['draw']>[0]

export class PriceSeries
  implements ICustomSeriesPaneView<Time, PriceItem, PriceOptions>, ICustomSeriesPaneRenderer
{
  #data: PaneRendererCustomData<Time, PriceItem> | undefined
  #options: PriceOptions | undefined
  readonly #cells = new CellPainter()

  renderer(): ICustomSeriesPaneRenderer {
    return this
  }

  update(data: PaneRendererCustomData<Time, PriceItem>, options: PriceOptions): void {
    this.#data = data
    this.#options = options
  }

  priceValueBuilder({ candle }: PriceItem): CustomSeriesPricePlotValues {
    return [candle.high, candle.low, candle.close]
  }

  isWhitespace(
    item: PriceItem | CustomSeriesWhitespaceData<Time>,
  ): item is CustomSeriesWhitespaceData<Time> {
    return (item as Partial<PriceItem>).candle === undefined
  }

  defaultOptions(): PriceOptions {
    return { ...customSeriesDefaultOptions, mode: 'candles', palette: PALETTES.dark }
  }

  draw(target: Target, priceConverter: PriceToCoordinateConverter): void {
    const data = this.#data
    const range = data?.visibleRange ?? null
    if (data === undefined || range === null || this.#options === undefined) return
    const { mode, palette } = this.#options
    const has_cells = mode !== 'candles' && data.barSpacing >= CELLS_FROM_PX
    target.useBitmapCoordinateSpace((scope) => {
      const canvas: Canvas = {
        context: scope.context,
        width: scope.bitmapSize.width,
        height: scope.bitmapSize.height,
        ratio_x: scope.horizontalPixelRatio,
        ratio_y: scope.verticalPixelRatio,
        yOf: priceConverter,
      }
      const width = data.barSpacing * scope.horizontalPixelRatio
      if (has_cells) this.#cells.begin(canvas, mode, palette, width)
      for (let i = range.from; i < range.to; i++) {
        const { x, originalData } = data.bars[i]!
        const { candle, footprint } = originalData
        const centre = x * scope.horizontalPixelRatio
        if (has_cells && footprint !== undefined) this.#cells.draw(centre, candle, footprint)
        else drawCandle(canvas, palette, centre, width, candle)
      }
      if (has_cells) this.#cells.end()
    })
  }
}
