/**
 * The chart: panes of prices, volume and the sum of deltas over one time axis. Every interval has a
 * place on the axis, traded or not, so time is linear and holes are as wide as they were long.
 */
import {
  BaselineSeries,
  createChart,
  createSeriesMarkers,
  CrosshairMode,
  HistogramSeries,
  type IChartApi,
  type ISeriesApi,
  type ISeriesMarkersPluginApi,
  type MouseEventParams,
  type SeriesPartialOptions,
  type Time,
} from 'lightweight-charts'
import { SECOND_US } from '#core/time.ts'
import type { Candle } from '../data/candles.ts'
import type { Gap } from '../data/gaps.ts'
import type { Range, Slot } from '../data/slots.ts'
import type { Mode } from '../view/view.ts'
import type { Profile } from '../data/profile.ts'
import type { Signal } from '../data/signals.ts'
import { Hatch } from './hatch.ts'
import { HeatLayer, type HeatView } from './heat.ts'
import { deltaItem, type Item, priceItem, timeText, volumeItem, withZero } from './items.ts'
import { markersOf } from './marks.ts'
import { chartColors, deltaColors, type Palette, PALETTES } from './palette.ts'
import { ProfileLayer } from './profile.ts'
import { CELLS_FROM_PX, type PriceItem, type PriceOptions, PriceSeries } from './price-series.ts'

export interface StageEvents {
  /** The user moved or zoomed. */
  onRange(range: Range): void
  /** Undefined: the pointer left. */
  onPointer(pointer: Pointer | undefined): void
}

export interface Pointer {
  readonly ts: number
  /** Undefined outside the pane of prices. */
  readonly price: number | undefined
  readonly x: number
  readonly y: number
}

const VOLUME_PANE = 1
const DELTA_PANE = 2
/** Of a bar, for the letters of its signals. */
const LETTERS_FROM_PX = 26
/** Shares of the height. */
const STRETCH = [7, 1.4, 1.6]
const BAR_PX = { candles: 8, cells: 64, both: 100, min: 0.5, max: 220 }

export class Stage {
  readonly #chart: IChartApi
  readonly #price: ISeriesApi<
    'Custom',
    Time,
    Item<PriceItem>,
    PriceOptions,
    SeriesPartialOptions<PriceOptions>
  >
  readonly #volume: ISeriesApi<'Histogram'>
  readonly #delta: ISeriesApi<'Baseline'>
  readonly #hatch: Hatch
  readonly #heat: HeatLayer
  readonly #profile: ProfileLayer
  readonly #markers: ISeriesMarkersPluginApi<Time>
  #signals: readonly Signal[] = []
  #has_letters = false
  #heat_key = ''
  readonly #events: StageEvents
  #palette: Palette = PALETTES.dark
  #slots: readonly Slot[] = []
  #interval_us = 0
  /**
   * What was asked for; undefined once the user moved. The library shows it from its next frame on,
   * and not at all without data, so it is asked for again whenever data came.
   */
  #wanted: Range | undefined
  /** The user moved since. */
  #is_moved = false

  constructor(element: HTMLElement, events: StageEvents) {
    this.#events = events
    this.#chart = createChart(element, {
      autoSize: true,
      crosshair: { mode: CrosshairMode.Normal },
      layout: { fontFamily: "system-ui, 'DejaVu Sans', sans-serif", fontSize: 11 },
      timeScale: {
        timeVisible: true,
        secondsVisible: false,
        minBarSpacing: BAR_PX.min,
        maxBarSpacing: BAR_PX.max,
        rightOffset: 6,
        shiftVisibleRangeOnNewBar: false,
        borderVisible: false,
      },
      rightPriceScale: { borderVisible: false, minimumWidth: 76 },
      localization: { timeFormatter: (time: Time) => timeText((time as number) * SECOND_US) },
    })
    const options = { lastValueVisible: true, priceLineVisible: true }
    this.#price = this.#chart.addCustomSeries<PriceItem, PriceOptions>(new PriceSeries(), options)
    this.#volume = this.#chart.addSeries(
      HistogramSeries,
      { priceFormat: { type: 'volume' }, priceLineVisible: false, lastValueVisible: false },
      VOLUME_PANE,
    )
    this.#delta = this.#chart.addSeries(
      BaselineSeries,
      {
        priceFormat: { type: 'volume' },
        priceLineVisible: false,
        lineWidth: 1,
        autoscaleInfoProvider: withZero,
      },
      DELTA_PANE,
    )
    const axes = {
      xOf: (ts: number) => this.xOf(ts),
      yOf: (price: number) => this.#price.priceToCoordinate(price),
    }
    this.#heat = new HeatLayer(axes, this.#palette)
    this.#hatch = new Hatch(axes, this.#palette)
    this.#profile = new ProfileLayer(axes, this.#palette)
    this.#markers = createSeriesMarkers(this.#price, [])
    for (const [i, pane] of this.#chart.panes().entries()) {
      pane.setStretchFactor(STRETCH[i]!)
      if (i > 0) continue
      for (const layer of [this.#heat, this.#hatch, this.#profile]) pane.attachPrimitive(layer)
    }
    for (const name of ['wheel', 'pointerdown', 'touchstart'] as const) {
      const onMove = (): void => {
        this.#wanted = undefined
        this.#is_moved = true
      }
      element.addEventListener(name, onMove, { capture: true, passive: true })
    }
    const scale = this.#chart.timeScale()
    scale.subscribeSizeChange(() => {
      if (this.#wanted !== undefined) this.setRange(this.#wanted)
    })
    scale.subscribeVisibleLogicalRangeChange(() => {
      const range = this.#wanted === undefined ? this.#shown() : undefined
      if (range !== undefined) events.onRange(range)
    })
    this.#chart.subscribeCrosshairMove((event) => events.onPointer(this.#pointerOf(event)))
  }

  close(): void {
    this.#chart.remove()
  }

  /** The visible part of the time axis; undefined without places on it. */
  range(): Range | undefined {
    return this.#wanted ?? this.#shown()
  }

  #shown(): Range | undefined {
    const logical = this.#chart.timeScale().getVisibleLogicalRange()
    const [first] = this.#slots
    if (logical === null || first === undefined) return undefined
    return {
      from: first.ts + logical.from * this.#interval_us,
      to: first.ts + (logical.to + 1) * this.#interval_us,
    }
  }

  /** Bars are wide enough for cells. */
  get has_room_for_cells(): boolean {
    return this.#bar_px >= CELLS_FROM_PX
  }

  /** Width of a bar's place [CSS pixels]. */
  get #bar_px(): number {
    const range = this.range()
    if (range === undefined) return 0
    return (this.width_px * this.#interval_us) / (range.to - range.from)
  }

  get width_px(): number {
    return this.#chart.timeScale().width()
  }

  get has_bars_in_view(): boolean {
    const range = this.range()
    if (range === undefined) return false
    return this.#slots.some(
      ({ ts, candle }) =>
        candle !== undefined && ts >= range.from - this.#interval_us && ts < range.to,
    )
  }

  /** True if the newest place is in view. */
  get is_at_end(): boolean {
    const end = (this.#slots.at(-1)?.ts ?? 0) + this.#interval_us
    const range = this.range()
    return range === undefined || range.to >= end - this.#interval_us / 2
  }

  /** Replaces all places, and shows `place` of them; by default what is visible stays so. */
  setSlots(slots: readonly Slot[], interval_us: number, place?: Range): void {
    const range = place ?? this.range()
    if (place !== undefined) this.#is_moved = false
    // Before the library moves.
    this.#wanted = range
    this.#slots = slots
    this.#interval_us = interval_us
    this.#price.setData(slots.map((slot) => priceItem(slot, this.#palette)))
    this.#volume.setData(slots.map((slot) => volumeItem(slot, this.#palette)))
    this.#delta.setData(slots.map(deltaItem))
    this.#mark()
    if (range !== undefined) this.setRange(range)
  }

  /** Replaces places at the end, or adds to it. */
  grow(slots: readonly Slot[]): void {
    const range = this.is_at_end ? this.range() : undefined
    const count = this.#slots.length
    const known = new Map(this.#slots.map((slot, i) => [slot.ts, i]))
    const all = [...this.#slots]
    for (const slot of slots) {
      const last = all.at(-1)
      const at = known.get(slot.ts)
      if (at === undefined && last !== undefined && slot.ts !== last.ts + this.#interval_us)
        continue
      const is_past = at !== undefined && at < all.length - 1
      this.#price.update(priceItem(slot, this.#palette), is_past)
      this.#volume.update(volumeItem(slot, this.#palette), is_past)
      this.#delta.update(deltaItem(slot), is_past)
      if (at === undefined) all.push(slot)
      else all[at] = slot
    }
    this.#slots = all
    const by = (all.length - count) * this.#interval_us
    if (by > 0 && range !== undefined) this.setRange({ from: range.from + by, to: range.to + by })
  }

  setGaps(gaps: readonly Gap[], end: number): void {
    if (this.#hatch.set(gaps, end)) this.#price.applyOptions({})
  }

  setProfile(profile: Profile | undefined): void {
    if (profile === this.#profile.profile) return
    this.#profile.profile = profile
    this.#price.applyOptions({})
  }

  setSignals(signals: readonly Signal[]): void {
    const has_text = this.#bar_px >= LETTERS_FROM_PX
    const is_same =
      has_text === this.#has_letters &&
      signals.length === this.#signals.length &&
      signals.every((one, i) => one === this.#signals[i])
    if (is_same) return
    this.#signals = signals
    this.#has_letters = has_text
    this.#mark()
  }

  #mark(): void {
    const candleAt = (ts: number): Candle | undefined => this.slotAt(ts)?.candle
    const letters = this.#has_letters
    const interval_us = this.#interval_us
    const marks = markersOf(this.#signals, candleAt, interval_us, this.#palette, letters)
    this.#markers.setMarkers(marks)
  }

  /** `key` changes with the rows. */
  setHeat(key: string, view: HeatView | undefined): void {
    if (key === this.#heat_key) return
    this.#heat_key = key
    this.#heat.set(view)
    this.#price.applyOptions({})
  }

  /** Difference between the highest and the lowest visible price; undefined without bars. */
  get price_span(): number | undefined {
    const range = this.#price.priceScale().getVisibleRange()
    return range === null ? undefined : range.to - range.from
  }

  setRange(range: Range): void {
    const [first] = this.#slots
    if (first === undefined) return
    const { from, to } = range
    this.#wanted = range
    // After the library's own frame, which it has asked for first.
    requestAnimationFrame(() => {
      if (this.#is_moved && this.#wanted === range) this.#wanted = undefined
    })
    const logicalOf = (ts: number): number => (ts - first.ts) / this.#interval_us
    const logical = { from: logicalOf(from), to: logicalOf(to) - 1 }
    this.#chart.timeScale().setVisibleLogicalRange(logical)
  }

  /** Of a bar that can be read well [CSS pixels]. */
  barWidth(mode: Mode): number {
    if (mode === 'candles') return BAR_PX.candles
    return mode === 'bidask' ? BAR_PX.both : BAR_PX.cells
  }

  /** Where a time is; left of the pane below 0 [CSS pixels]. */
  xOf(ts: number): number {
    const range = this.#shown()
    if (range === undefined) return -1
    return ((ts - range.from) / (range.to - range.from)) * this.width_px
  }

  setMode(mode: Mode): void {
    this.#price.applyOptions({ mode })
  }

  setTick(tick_size: string | null): void {
    const min_move = Number(tick_size ?? '0.01') || 0.01
    const precision = Math.max(0, -Math.floor(Math.log10(min_move) + 1e-9))
    this.#price.applyOptions({
      priceFormat: { type: 'price', minMove: min_move, precision: Math.min(12, precision) },
    })
  }

  setPalette(palette: Palette): void {
    this.#palette = palette
    for (const layer of [this.#hatch, this.#heat, this.#profile]) layer.palette = palette
    this.#heat.repaint()
    this.#mark()
    this.#chart.applyOptions(chartColors(palette))
    this.#price.applyOptions({ palette })
    this.#delta.applyOptions(deltaColors(palette))
    if (this.#slots.length > 0) this.setSlots(this.#slots, this.#interval_us)
  }

  /** Moves by a share of the screen. */
  pan(share: number): void {
    const range = this.range()
    if (range === undefined) return
    const by = (range.to - range.from) * share
    this.#go({ from: range.from + by, to: range.to + by })
  }

  /** Around the right edge; above 1 shows more bars. */
  zoom(factor: number): void {
    const range = this.range()
    if (range === undefined) return
    this.#go({ from: range.to - (range.to - range.from) * factor, to: range.to })
  }

  #go(range: Range): void {
    this.setRange(range)
    this.#events.onRange(range)
  }

  picture(): HTMLCanvasElement {
    return this.#chart.takeScreenshot(true, false)
  }

  slotAt(ts: number): Slot | undefined {
    const [first] = this.#slots
    if (first === undefined) return undefined
    return this.#slots[Math.floor((ts - first.ts) / this.#interval_us)]
  }

  get slots(): readonly Slot[] {
    return this.#slots
  }

  #pointerOf({ point, paneIndex }: MouseEventParams<Time>): Pointer | undefined {
    const range = this.#shown()
    if (point === undefined || range === undefined) return undefined
    const ts = range.from + (point.x / this.width_px) * (range.to - range.from)
    const price = paneIndex === 0 ? this.#price.coordinateToPrice(point.y) : null
    return { ts, price: price ?? undefined, x: point.x, y: point.y }
  }
}
