/**
 * A page of /v1/clusters: which bars there are, which of them are known, and the others computed.
 */
import type { BaseMinute } from '#core/clusters/base.ts'
import { type Interval, INTERVAL_US } from '#core/clusters/intervals.ts'
import { clusterRow, stepOf } from '#core/clusters/row.ts'
import { OperatorError } from '#core/errors.ts'
import type { Pool } from '#core/node/pool.ts'
import { DAY_US, type Micros, micros, toIso } from '#core/time.ts'
import type { BarCache } from './bar-cache.ts'
import { foldSpans, READ_US } from './fold-bars.ts'
import type { ClusterSymbol } from './instruments.ts'
import { binOfBar, type IntervalBar, intervalBars, lookbackUs } from './interval-bars.ts'
import type { PageSpan } from './read-ahead.ts'
import { type ClusterState, settledState } from './state.ts'
import type { SyncManager } from './sync.ts'
import { readTail } from './tail.ts'

export interface BarsWanted {
  readonly symbol: ClusterSymbol
  readonly interval: Interval
  /** Ticks of a bin. */
  readonly bin: number | 'auto'
  /** Bars that begin in [from, to). */
  readonly from: Micros
  readonly to: Micros
  readonly order: 'asc' | 'desc'
  readonly limit: number
  /** Goes on after the bar of this time, in the order of the page. */
  readonly after: Micros | undefined
}

export interface BarsPage {
  /** Rows of the API, as JSON text. */
  readonly rows: readonly string[]
  /** `after` of the next page; null: this is the last one. */
  readonly next_ts: Micros | null
  /** Nothing can change in the page's range but by late trades. */
  readonly is_final: boolean
  /** What it covers. */
  readonly span: PageSpan
}

export interface BarSources {
  readonly pool: Pool
  readonly sync: SyncManager
  readonly cache: BarCache
}

/** A page covers at most that much time. */
const SPAN_MAX_US = 14 * DAY_US
/** A page ends at the row that exceeds it. */
const PAGE_CHARS_MAX = 2 * 1024 * 1024
/** Rows that are looked up, or computed, at a time; of long bars fewer, which have more cells. */
const ROWS_AT_ONCE = 60
/** A bar has at most that many bins. */
export const CELLS_MAX = 50_000

export function readBars(sources: BarSources, wanted: BarsWanted): Promise<BarsPage> {
  return sources.sync.fromStored(() => readPage(sources, wanted))
}

async function readPage(sources: BarSources, wanted: BarsWanted): Promise<BarsPage> {
  const { pool, sync } = sources
  const { symbol, interval, bin, order, limit } = wanted
  const interval_us = INTERVAL_US[interval]
  const window = windowOf(wanted, interval_us)
  const lookback_us = bin === 'auto' ? lookbackUs(interval_us) : 0
  const span = { from: window.from, to: window.to, lookback_us }
  if (window.from >= window.to) return { rows: [], next_ts: null, is_final: true, span }
  // The running delta begins with the day, and automatic bins look back.
  const day = Math.floor(window.from / DAY_US) * DAY_US
  const from = micros(Math.max(0, Math.min(window.from - lookback_us, day)))
  const state = await settledState(pool, symbol.symbol_id, from, window.to)
  const stored = await sync.summaries(symbol, state, from, window.to)
  const tail_from = micros(Math.max(state.final_to, from))
  const tail = await readTail(pool, symbol, tail_from, window.to)
  const bars = intervalBars([...stored, ...tail], interval_us)
  const places = [...bars.keys()].filter((i) => bars[i]!.ts >= window.from)
  const ordered = order === 'asc' ? places : places.toReversed()
  const rows: string[] = []
  let char_count = 0
  let last_ts: Micros | undefined
  const at_once = Math.max(1, Math.min(ROWS_AT_ONCE, Math.floor(READ_US / interval_us)))
  for (let at = 0; at < ordered.length && rows.length < limit; at += at_once) {
    const group = ordered.slice(at, Math.min(at + at_once, limit))
    const texts = await textsOf(sources, wanted, { state, bars, tail, interval_us }, group)
    for (const [i, text] of texts.entries()) {
      rows.push(text)
      char_count += text.length
      last_ts = bars[group[i]!]!.ts
      if (char_count > PAGE_CHARS_MAX) break
    }
    if (char_count > PAGE_CHARS_MAX) break
  }
  const is_cut = rows.length < ordered.length
  return {
    rows,
    next_ts: is_cut ? last_ts! : window.next,
    is_final: window.to <= state.final_to,
    span,
  }
}

interface Window {
  readonly from: Micros
  readonly to: Micros
  /** Where the next page goes on if this one has all bars of the window. */
  readonly next: Micros | null
}

/** The part of the range that a page covers, on the grid of the interval. */
function windowOf({ from, to, after, order, limit }: BarsWanted, interval_us: number): Window {
  const [first, end] = [upToGrid(from, interval_us), upToGrid(to, interval_us)]
  const span = Math.max(interval_us, Math.min(limit * interval_us, SPAN_MAX_US))
  if (order === 'asc') {
    const start = after === undefined ? first : Math.max(first, upToGrid(after + 1, interval_us))
    const stop = Math.min(end, start + span)
    return {
      from: micros(start),
      to: micros(stop),
      next: stop < end ? micros(stop - interval_us) : null,
    }
  }
  const stop = after === undefined ? end : Math.min(end, upToGrid(after, interval_us))
  const start = Math.max(first, stop - span)
  return { from: micros(start), to: micros(stop), next: start > first ? micros(start) : null }
}

function upToGrid(ts: number, interval_us: number): number {
  return Math.ceil(ts / interval_us) * interval_us
}

interface Read {
  readonly state: ClusterState
  readonly bars: readonly IntervalBar[]
  readonly tail: readonly BaseMinute[]
  readonly interval_us: number
}

/** Rows of the bars at these places. */
async function textsOf(
  { pool, cache }: BarSources,
  { symbol, interval, bin }: BarsWanted,
  { state, bars, tail, interval_us }: Read,
  places: readonly number[],
): Promise<readonly string[]> {
  const { symbol_id, tick_size } = symbol
  const planned = places.map((place) => {
    const bar = bars[place]!
    const bin_ticks = bin === 'auto' ? binOfBar(bars, place, interval_us, tick_size) : bin
    const to = micros(bar.ts + interval_us)
    const is_final = to <= state.final_to
    const version = `${state.epoch}:${state.versionOf(bar.ts)}`
    const key = `${version}:${symbol_id}:${tick_size}:${interval}:${bin_ticks}:${bar.ts}`
    return { bar, bin_ticks, to, is_final, key }
  })
  const keys = planned.filter(({ is_final }) => is_final).map(({ key }) => key)
  const answers = await cache.getMany(keys)
  const known = new Map(keys.map((key, i) => [key, answers[i]]))
  const missing = planned.filter(({ key, is_final }) => !is_final || known.get(key) === undefined)
  const folded = await foldSpans(
    { pool, symbol_id, final_to: state.final_to, tail },
    missing.map(({ bar: { ts: from, minute_count }, bin_ticks, to }) => {
      return { from, to, step: stepOf(symbol, bin_ticks), minute_count }
    }),
  )
  const made = missing.map(({ bar, bin_ticks, is_final, key }, i): readonly [string, string] => {
    const { cells } = folded[i]!
    if (cells.length > CELLS_MAX) throw tooFine(bar.ts, cells.length)
    const facts = { interval, bin_ticks, cum_delta: bar.cum_delta, is_final }
    return [key, JSON.stringify(clusterRow(folded[i]!, symbol, facts))]
  })
  cache.setMany(made.filter((_, i) => missing[i]!.is_final))
  const texts = new Map(made)
  return planned.map(({ key }) => texts.get(key) ?? known.get(key)!)
}

export function tooFine(ts: Micros, cell_count: number): OperatorError {
  return new OperatorError(
    'bin_too_fine',
    `The bar of ${toIso(ts)} has ${cell_count} bins; at most ${CELLS_MAX} are answered.`,
    { hint: 'Ask for a larger bin, or for bin=auto.' },
  )
}
