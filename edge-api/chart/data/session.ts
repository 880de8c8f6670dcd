/**
 * The data behind one chart: candles, footprints and gaps of an instrument at one interval, from
 * the API in blocks around what is shown, and the bars that still grow from the live stream.
 */
import { ATR_LOOKBACK } from '#core/clusters/auto-bin.ts'
import { DAY_US } from '#core/time.ts'
import type { Interval } from '../view/view.ts'
import type { ClusterRow } from '../../client/live.ts'
import type { Refusal } from './api.ts'
import { followBars } from './bar-feed.ts'
import { Blocks } from './blocks.ts'
import {
  askCandles,
  type Candle,
  CANDLE_SPAN_US,
  candleOfRow,
  INTERVAL_US,
  LEDGER_SPAN_US,
} from './candles.ts'
import { askFootprints, CLUSTER_SPAN_US, type Footprint, footprintOfRow } from './clusters.ts'
import type { Feed } from './feed.ts'
import { askGaps, type Gap } from './gaps.ts'
import { GrowingBars } from './growing-bars.ts'
import type { HeatInterval, HeatRow } from './heat.ts'
import { HeatLoader } from './heat-loader.ts'
import type { Instrument } from './instrument.ts'
import { marketNow } from './market-clock.ts'
import { Marks } from './marks.ts'
import { type Profile, ProfileLoader } from './profile.ts'
import { askSignals, type Signal } from './signals.ts'
import { type Range, type Slot, slotsOf } from './slots.ts'

export interface SessionEvents {
  /** Blocks came or went. */
  onHistory(): void
  /** What of the page cannot be shown, in words; undefined: all can be. */
  onNotice(part: string, words: string | undefined): void
}

const CANDLE_BLOCKS_MAX = 84
const CLUSTER_BLOCKS_MAX = 32
const GAP_BLOCKS_MAX = 28
/** The API's limit. */
const PROFILE_MAX_US = 14 * DAY_US
/** Screens that are loaded ahead, in the direction of the scroll and against it. */
const AHEAD = { along: 2, against: 0.5 }
/** Places of the axis beyond which it does not reach up to the newest bar. */
const PLACES_MAX = 8_000
/** The bar before the newest one looks back too. */
const LOOKBACK_BARS = ATR_LOOKBACK + 2
/** A late trade is committed before the API is asked for its bar. */
const COMMIT_MS = 2_000
/** The live server compares so many bars with what it sent of them. */
const FOLLOWED_BARS = 30
/** Of an average bar: cells that change by less look the same. */
const THRESHOLD_SHARE = 0.01
/** While the live stream is away. */
const POLL_MS = 5_000

export class Session {
  readonly instrument: Instrument
  readonly interval: Interval
  readonly interval_us: number
  readonly #bin: number
  readonly #stop = new AbortController()
  readonly #candles: Blocks<Candle>
  readonly #footprints: Blocks<Footprint>
  readonly #gaps: Marks<Gap>
  readonly #signals: Marks<Signal>
  readonly #profile: ProfileLoader
  readonly #heat: HeatLoader
  #feed: Feed | undefined
  readonly #growing: GrowingBars
  #window: Range = { from: 0, to: 0 }
  #centre = 0
  #has_clusters = true
  #follows_bars = false
  /** Start of the earliest bar that the engine changed since the places were asked for. */
  #changed_from = Infinity
  #polled_ms = performance.now()

  constructor(instrument: Instrument, interval: Interval, bin: number, events: SessionEvents) {
    this.instrument = instrument
    this.interval = interval
    this.interval_us = INTERVAL_US[interval]
    this.#bin = bin
    const common = { onChange: () => events.onHistory() }
    this.#candles = new Blocks<Candle>({
      ...common,
      span_us: CANDLE_SPAN_US[interval],
      resident_max: CANDLE_BLOCKS_MAX,
      timeOf: ({ ts }) => ts,
      volumeOf: ({ buy_volume, sell_volume }) => buy_volume + sell_volume,
      load: (from, to, signal) => askCandles(instrument, interval, from, to, signal),
      onError: (error) => events.onNotice('Candles', error?.message),
    })
    this.#footprints = new Blocks<Footprint>({
      ...common,
      span_us: CLUSTER_SPAN_US[interval],
      resident_max: CLUSTER_BLOCKS_MAX,
      timeOf: ({ ts }) => ts,
      volumeOf: ({ volume }) => volume,
      load: (from, to, signal) => askFootprints(instrument, interval, bin, from, to, signal),
      onError: (error) => {
        if (error?.status === 404) this.#has_clusters = false
        events.onNotice('Clusters', wordsOf(error))
      },
    })
    const gaps = new Blocks<Gap>({
      ...common,
      span_us: LEDGER_SPAN_US[interval],
      resident_max: GAP_BLOCKS_MAX,
      timeOf: ({ from }) => from,
      load: (from, to, signal) => askGaps(instrument, from, to, signal),
      onError: (error) => events.onNotice('Gaps', error?.message),
    })
    this.#gaps = new Marks(
      gaps,
      ({ channel, from, cause }) => `${channel} ${from} ${cause}`,
      (gap, { from, to }) => gap.from < to && gap.to > from,
    )
    const signals = new Blocks<Signal>({
      ...common,
      span_us: LEDGER_SPAN_US[interval],
      resident_max: GAP_BLOCKS_MAX,
      timeOf: ({ ts }) => ts,
      load: (from, to, signal) => askSignals(instrument, from, to, signal),
      onError: (error) => events.onNotice('Signals', wordsOf(error)),
    })
    this.#signals = new Marks(
      signals,
      ({ id }) => id,
      ({ ts }, { from, to }) => ts >= from && ts < to,
    )
    this.#growing = new GrowingBars({
      instrument,
      interval,
      bin,
      signal: this.#stop.signal,
      candles: (from, to) => this.#candles.rows(from, to),
      hasCandles: (from, to) => this.#candles.hasLoaded(from, to),
      hasFootprint: (ts) => this.#has_clusters && this.#footprints.isLoaded(ts),
    })
    this.#profile = new ProfileLoader(instrument, common.onChange, (error) => {
      events.onNotice('Volume profile', wordsOf(error))
    })
    this.#heat = new HeatLoader(instrument, common.onChange, (error) => {
      events.onNotice('Heatmap', wordsOf(error))
    })
  }

  set feed(feed: Feed) {
    this.#feed = feed
    this.#growing.clear()
  }

  close(): void {
    this.#stop.abort()
    for (const blocks of this.#allBlocks()) blocks.close()
    this.#profile.close()
    this.#heat.close()
  }

  get is_loading(): boolean {
    return this.#candles.loading + this.#footprints.loading > 0
  }

  /** End of the interval that is now. */
  get end(): number {
    return this.#newest() + this.interval_us
  }

  /** The places end with the newest bar, or as good as that: `last` is the last of them. */
  reachesEnd(last: number): boolean {
    return this.end - this.#window.from <= PLACES_MAX * this.interval_us && last < this.end
  }

  get window(): Range {
    return this.#window
  }

  /** Loads what is shown and what will be. `cells`: also the footprints. */
  show({ from, to }: Range, cells: boolean): void {
    const span = to - from
    const centre = from + span / 2
    const is_back = centre <= this.#centre
    this.#centre = centre
    const before = span * (is_back ? AHEAD.along : AHEAD.against)
    const after = span * (is_back ? AHEAD.against : AHEAD.along)
    const now = marketNow() + this.interval_us
    // The sum of deltas starts with the day.
    const day = from - (((from % DAY_US) + DAY_US) % DAY_US)
    // Automatic bins of the newest bar follow from those before it.
    const is_at_end = to + after >= now
    const lookback = is_at_end && this.#bin === 0 ? now - LOOKBACK_BARS * this.interval_us : from
    const wanted = {
      from: Math.max(0, Math.min(day, from - before, lookback)),
      to: Math.min(now, to + after),
    }
    if (wanted.to <= wanted.from) return
    const block_us = CANDLE_SPAN_US[this.interval]
    this.#window = {
      from: Math.floor(wanted.from / block_us) * block_us,
      to: Math.ceil(wanted.to / block_us) * block_us,
    }
    // What is shown comes first, however long the past is that it is summed up from.
    const near = Math.min(centre, wanted.to)
    this.#candles.want(wanted.from, wanted.to, near)
    this.#gaps.blocks.want(wanted.from, wanted.to, near)
    if (!cells || !this.#has_clusters) return
    const screen = Math.max(span, CLUSTER_SPAN_US[this.interval])
    this.#footprints.want(
      Math.max(0, from - Math.min(before, screen)),
      Math.min(now, to + Math.min(after, screen)),
    )
  }

  /**
   * The places of the window. They reach up to the newest bar if that is not too far, so that the
   * end of the axis stays where it is while the user scrolls.
   */
  slots(): readonly Slot[] {
    const { from, to } = this.#window
    const end = this.#newest() + this.interval_us
    const is_near = end - from <= PLACES_MAX * this.interval_us
    return this.#slotsOf(from, is_near ? end : Math.min(to, end))
  }

  /** The places after `last` and those that the live stream changed. */
  grow(last: number): readonly Slot[] {
    const newest = this.#newest()
    this.#followBars(newest)
    let first = Math.min(last + this.interval_us, this.#changed_from)
    this.#changed_from = Infinity
    for (const growing of this.#growing.take(this.#feed?.minutes)) {
      first = Math.min(first, growing.bar.ts)
      this.#candles.put(this.#growing.candleOf(growing))
      this.#footprints.put(this.#growing.footprintOf(growing))
    }
    return this.#slotsOf(first, newest + this.interval_us)
  }

  /** Once the newest cells are here: from then on the engine's changes of them arrive. */
  #followBars(newest: number): void {
    if (this.#follows_bars || !this.#footprints.isLoaded(newest)) return
    this.#follows_bars = true
    const volumes = [...this.#footprints.rows(0, Infinity)].map(({ volume }) => volume)
    const sum = volumes.reduce((all, volume) => all + volume, 0)
    void followBars({
      instrument: this.instrument,
      interval: this.interval,
      bin: this.#bin,
      threshold: volumes.length === 0 ? 0 : (THRESHOLD_SHARE * sum) / volumes.length,
      signal: this.#stop.signal,
      onBars: (rows) => this.#takeBars(rows),
      onRestart: () => {
        const now = marketNow()
        this.#refreshLater(now - FOLLOWED_BARS * this.interval_us, now)
      },
    })
  }

  #takeBars(rows: readonly ClusterRow[]): void {
    for (const row of rows) {
      const footprint = footprintOfRow(row)
      this.#candles.put(candleOfRow(row))
      this.#footprints.put(footprint)
      this.#changed_from = Math.min(this.#changed_from, footprint.ts)
    }
  }

  /** While the live stream is away, the API is asked for the newest bars now and then. */
  keepUp(is_live: boolean): void {
    const now_ms = performance.now()
    if (is_live) this.#polled_ms = now_ms
    if (now_ms - this.#polled_ms < POLL_MS) return
    this.#polled_ms = now_ms
    const newest = this.#newest()
    for (const blocks of this.#allBlocks()) {
      blocks.refresh(newest - this.interval_us, newest + this.interval_us)
    }
  }

  /** Start of the interval that is now. */
  #newest(): number {
    const newest = Math.max(marketNow(), this.#feed?.minutes?.newest ?? 0)
    return newest - (newest % this.interval_us)
  }

  get profile(): Profile | undefined {
    return this.#profile.profile
  }

  /** What is known of the visible range is asked for anew whenever it ends with another bar. */
  showProfile({ from, to }: Range): void {
    const { interval_us } = this
    const first = from - (((from % interval_us) + interval_us) % interval_us)
    const end = Math.min(this.end, Math.ceil(to / interval_us) * interval_us)
    const is_short = end - first <= PROFILE_MAX_US
    if (first < end && is_short) this.#profile.show(first, end, this.#bin)
  }

  showSignals({ from, to }: Range): void {
    this.#signals.blocks.want(Math.max(0, from), Math.min(to, this.end))
  }

  signals(range: Range): readonly Signal[] {
    return this.#signals.in(range)
  }

  addSignal(signal: Signal): void {
    this.#signals.add(signal)
  }

  /** Rows of resting liquidity; `bin` in ticks. */
  heat(range: Range, interval: HeatInterval, bin: number): readonly HeatRow[] {
    return this.#heat.show(range, interval, bin)
  }

  /** Gaps that overlap the range. */
  gaps(range: Range): readonly Gap[] {
    return this.#gaps.in(range)
  }

  addGap(gap: Gap): void {
    this.#gaps.add(gap)
    this.#refreshLater(gap.from, gap.to)
  }

  /** Trades were added to a bar that the API has. */
  onLate(ts: number): void {
    this.#refreshLater(ts, ts + 1)
  }

  /** The live stream began anew: what came from it is asked for again. */
  restart(): void {
    const from = Math.min(this.#growing.from, marketNow())
    this.#growing.clear()
    this.#refreshLater(from, marketNow())
  }

  #refreshLater(from: number, to: number): void {
    setTimeout(() => {
      if (this.#stop.signal.aborted) return
      const { blocks: gaps } = this.#gaps
      for (const blocks of [this.#candles, this.#footprints, gaps]) blocks.refresh(from, to)
    }, COMMIT_MS)
  }

  #slotsOf(from: number, to: number): readonly Slot[] {
    return slotsOf(
      { from, to },
      this.interval_us,
      (range) => this.#candles.rows(range.from, range.to),
      (range) => this.#footprints.rows(range.from, range.to),
    )
  }

  #allBlocks(): readonly Pick<Blocks<unknown>, 'refresh' | 'close'>[] {
    return [this.#candles, this.#footprints, this.#gaps.blocks, this.#signals.blocks]
  }
}

/** An older server, or one without the engine, has no such route. */
function wordsOf(error: Refusal | undefined): string | undefined {
  return error?.code === 'unknown_path' ? 'this server does not have them.' : error?.message
}
