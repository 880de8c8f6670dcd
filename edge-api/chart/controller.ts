/** Joins what the user chose (the view), the data and the chart. */
import { SECOND_US } from '#core/time.ts'
import { Refusal } from './data/api.ts'
import { INTERVAL_US } from './data/candles.ts'
import { Feed, type FeedState } from './data/feed.ts'
import { gapOfLive, gapWords } from './data/gaps.ts'
import { HEAT_US, heatInterval } from './data/heat.ts'
import { askInstruments, type Instrument } from './data/instrument.ts'
import { niceAtLeast } from './data/ladder.ts'
import { setMarketClock } from './data/market-clock.ts'
import { Session } from './data/session.ts'
import type { Range } from './data/slots.ts'
import { SignalFeed } from './data/signal-feed.ts'
import { type Signal, signalWords } from './data/signals.ts'
import { PALETTES } from './draw/palette.ts'
import { type Pointer, Stage } from './draw/stage.ts'
import { Listeners } from './view/listeners.ts'
import { applyTheme } from './view/theme.ts'
import { hashOf, type Mode, type View, viewOf } from './view/view.ts'

const TICK_MS = 200
const ADDRESS_MS = 300
/** Price bins of the heatmap on one screen, about. */
const HEAT_BINS = 90
/** Bars to the right of the newest one. */
const MARGIN_BARS = 6

export class Controller {
  readonly listeners = new Listeners()
  view: View = viewOf(location.hash)
  instruments: readonly Instrument[] = []
  instrument: Instrument | undefined
  feed_state: FeedState = { kind: 'connecting' }
  /** What cannot be shown, and why. */
  readonly notices = new Map<string, string>()
  pointer: Pointer | undefined
  feed: Feed | undefined
  #signal_feed: SignalFeed | undefined
  session: Session | undefined
  stage: Stage | undefined
  #is_dirty = false
  #is_stale = true
  #is_placed = false
  #address_timer = 0
  #heat_bin = 0
  #opened_count = 0

  async start(element: HTMLElement): Promise<void> {
    this.stage = new Stage(element, {
      onRange: (range) => this.#onRange(range),
      onPointer: (pointer) => {
        this.pointer = pointer
        this.listeners.tell()
      },
    })
    this.stage.setMode(this.view.mode)
    this.#applyTheme()
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#applyTheme())
    addEventListener('hashchange', () => this.set(viewOf(location.hash)))
    setInterval(() => this.#tick(), TICK_MS)
    await this.load()
  }

  /** Asks for the list of symbols; at the start, and when the token changed. */
  async load(): Promise<void> {
    try {
      this.instruments = await askInstruments()
    } catch (error) {
      this.#notice('Symbols', (error as Error).message)
      if (error instanceof Refusal && error.is_temporary) setTimeout(() => void this.load(), 3_000)
      return
    }
    this.#notice('Symbols', undefined)
    this.#open()
  }

  /** Changes what is shown, and the address with it. */
  set(change: Partial<View>): void {
    const before = this.view
    this.view = { ...before, ...change }
    this.#keepAddress()
    const { view } = this
    if (view.theme !== before.theme) this.#applyTheme()
    if (view.mode !== before.mode) this.stage?.setMode(view.mode)
    if (view.symbol !== before.symbol || view.exchange !== before.exchange) this.#open()
    else if (view.interval !== before.interval || view.bin !== before.bin) this.#openSession()
    else if (change.to !== undefined || change.bars !== undefined) this.#place()
    this.#show()
    this.listeners.tell()
  }

  /** Cells need wider bars than candles do. */
  setMode(mode: Mode): void {
    const is_narrow = mode !== 'candles' && this.stage?.has_room_for_cells !== true
    this.set({ mode, ...(is_narrow ? { bars: 0 } : {}) })
  }

  /** Back to the newest bar. */
  follow(): void {
    this.view = { ...this.view, to: 0 }
    this.#place()
    this.#show()
  }

  /** Gaps and signals at the pointer, in words. */
  get words_at_pointer(): readonly string[] {
    const { pointer, session, stage } = this
    const range = stage?.range()
    if (pointer === undefined || session === undefined || range === undefined) return []
    const reach = ((range.to - range.from) / stage!.width_px) * 3
    const gaps = session.gaps({ from: pointer.ts - reach, to: pointer.ts + reach })
    const start = pointer.ts - (pointer.ts % session.interval_us)
    const end = start + session.interval_us
    const isOfBar = ({ ts, bar_ts = ts }: Signal): boolean => bar_ts >= start && bar_ts < end
    // A signal of a bar is known at its end.
    const signals = this.#signals(session, { from: start, to: end + session.interval_us })
    return [...gaps.map(gapWords), ...signals.filter(isOfBar).map(signalWords)]
  }

  /** Signals on the screen that the view marks. */
  get marked(): readonly Signal[] {
    const range = this.stage?.range()
    const { session } = this
    return range === undefined || session === undefined ? [] : this.#signals(session, range)
  }

  #signals(session: Session, range: Range): readonly Signal[] {
    const { signals, kinds } = this.view
    if (!signals) return []
    const named = new Set(kinds.split(','))
    return session.signals(range).filter(({ kind }) => named.has(kind))
  }

  #open(): void {
    const opened = ++this.#opened_count
    const { view, instruments } = this
    const named = instruments.filter(({ symbol }) => symbol === view.symbol)
    const found = named.find(({ exchange }) => exchange === view.exchange) ?? named[0]
    this.instrument = view.symbol === '' ? firstOf(instruments) : found
    this.feed?.close()
    this.#signal_feed?.close()
    this.feed = undefined
    this.notices.clear()
    this.session?.close()
    this.session = undefined
    this.stage?.setSlots([], SECOND_US)
    if (this.instrument === undefined) {
      const words =
        view.symbol === '' ? 'No symbol is listed yet.' : `${view.symbol} is not listed.`
      this.#notice('Symbol', words)
      return
    }
    const { symbol, exchange } = this.instrument
    this.view = { ...this.view, symbol, exchange }
    this.stage?.setTick(this.instrument.tick_size)
    void this.#begin(this.instrument, opened)
  }

  async #begin(instrument: Instrument, opened: number): Promise<void> {
    await setMarketClock(instrument)
    // Another symbol was chosen meanwhile.
    if (opened !== this.#opened_count) return
    this.#openFeed(instrument)
    this.#openSession()
  }

  #openFeed(instrument: Instrument): void {
    this.feed = new Feed(instrument, {
      onState: (state) => {
        this.feed_state = state
        this.listeners.tell()
      },
      onChange: () => (this.#is_dirty = true),
      onGap: (row) => this.session?.addGap(gapOfLive(row)),
      onLate: ({ ts }) => this.session?.onLate(ts),
      onRestart: () => this.session?.restart(),
      onError: (error) => this.#notice('Current bar', error?.message),
    })
    this.#signal_feed = new SignalFeed(instrument, (signal) => this.session?.addSignal(signal))
  }

  #openSession(): void {
    if (this.instrument === undefined || this.feed === undefined) return
    const { interval, bin } = this.view
    this.session?.close()
    this.stage?.setSlots([], INTERVAL_US[interval])
    this.session = new Session(this.instrument, interval, bin, {
      onHistory: () => {
        this.#is_stale = true
        this.#is_dirty = true
        this.listeners.tell()
      },
      onNotice: (part, words) => this.#notice(part, words),
    })
    this.session.feed = this.feed
    this.#is_placed = false
    this.#show()
  }

  #wantedRange(): Range {
    const { view, stage, session } = this
    const interval_us = session!.interval_us
    const bars = view.bars || Math.max(20, Math.floor(stage!.width_px / stage!.barWidth(view.mode)))
    const to = view.to === 0 ? session!.end + MARGIN_BARS * interval_us : view.to * SECOND_US
    return { from: to - bars * interval_us, to }
  }

  #place(): void {
    if (this.session === undefined || this.stage === undefined) return
    this.#is_placed = true
    const range = this.#wantedRange()
    this.session.show(range, false)
    this.stage.setSlots(this.session.slots(), this.session.interval_us, range)
    this.#is_stale = false
    this.#show()
  }

  #show(): void {
    const { session, stage } = this
    if (session === undefined || stage === undefined || stage.width_px === 0) return
    if (!this.#is_placed) return this.#place()
    const before = session.window
    const range = stage.range()
    if (range === undefined) return
    session.show(range, this.view.mode !== 'candles' && stage.has_room_for_cells)
    if (session.window.from !== before.from || session.window.to !== before.to)
      this.#is_stale = true
  }

  #onRange(range: Range): void {
    const { session, stage } = this
    if (session === undefined || stage === undefined) return
    const bars = Math.round((range.to - range.from) / session.interval_us)
    const to = stage.is_at_end ? 0 : Math.round(range.to / SECOND_US)
    this.view = { ...this.view, bars, to }
    this.#keepAddress()
    this.#show()
  }

  #tick(): void {
    const { session, stage } = this
    if (session === undefined || stage === undefined) return
    if (!this.#is_placed) this.#show()
    session.keepUp(this.feed_state.kind === 'live')
    if (this.#is_stale) {
      this.#is_stale = false
      stage.setSlots(session.slots(), session.interval_us)
    }
    const last = stage.slots.at(-1)?.ts
    if (last !== undefined && session.reachesEnd(last)) stage.grow(session.grow(last))
    const range = stage.range()
    if (range !== undefined) this.#showLayers(session, stage, range)
    if (!this.#is_dirty) return
    this.#is_dirty = false
    this.listeners.tell()
  }

  /** What lies behind the bars and beside them. */
  #showLayers(session: Session, stage: Stage, range: Range): void {
    const { heat, profile, signals } = this.view
    stage.setGaps(session.gaps(range), session.end)
    if (profile) session.showProfile(range)
    stage.setProfile(profile ? session.profile : undefined)
    // A signal that the API does not have yet comes from the stream.
    if (signals && this.#signal_feed?.is_settled === true) session.showSignals(range)
    stage.setSignals(this.marked)
    const tick = Number(session.instrument.tick_size ?? '0.01')
    const price_span = stage.price_span
    if (!heat || price_span === undefined) return stage.setHeat('', undefined)
    const interval = heatInterval(range.to - range.from, stage.width_px)
    const bin = this.#heatBin(price_span / HEAT_BINS / tick)
    const rows = session.heat(range, interval, bin)
    const key = [interval, bin, rows.length, rows[0]?.ts, rows.at(-1)?.ts].join(' ')
    stage.setHeat(key, { rows, interval_us: HEAT_US[interval], step: bin * tick })
  }

  /** Ticks of a bin. They stay while the scale moves a little: other bins are other requests. */
  #heatBin(ticks: number): number {
    const is_near = ticks <= 1.5 * this.#heat_bin && ticks >= this.#heat_bin / 4
    if (!is_near) this.#heat_bin = niceAtLeast(ticks)
    return this.#heat_bin
  }

  #notice(part: string, words: string | undefined): void {
    if (this.notices.get(part) === words) return
    if (words === undefined) this.notices.delete(part)
    else this.notices.set(part, words)
    this.listeners.tell()
  }

  #applyTheme(): void {
    this.stage?.setPalette(PALETTES[applyTheme(this.view.theme)])
  }

  #keepAddress(): void {
    clearTimeout(this.#address_timer)
    this.#address_timer = window.setTimeout(() => {
      history.replaceState(null, '', hashOf(this.view))
    }, ADDRESS_MS)
  }
}

/** What a first visitor sees. */
function firstOf(instruments: readonly Instrument[]): Instrument | undefined {
  const active = instruments.filter(({ is_active }) => is_active)
  return active.find(({ symbol }) => symbol === 'BTCUSDT') ?? active[0] ?? instruments[0]
}
