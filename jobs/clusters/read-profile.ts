/** The answer of /v1/volume-profile: what was traded at each price in whole minutes of a range. */
import { binOfSpan } from '#core/clusters/auto-bin.ts'
import { figuresOf } from '#core/clusters/figures.ts'
import { MINUTE_US } from '#core/clusters/intervals.ts'
import { areaOf, cellRows, stepOf } from '#core/clusters/row.ts'
import { decimalText, exactText } from '#core/decimal-text.ts'
import { plus } from '#core/decimals.ts'
import { type Micros, micros, toIso } from '#core/time.ts'
import { foldSpans } from './fold-bars.ts'
import type { ClusterSymbol } from './instruments.ts'
import { CELLS_MAX, type BarSources, tooFine } from './read-bars.ts'
import { settledState } from './state.ts'
import { readTail } from './tail.ts'

export interface ProfileWanted {
  readonly symbol: ClusterSymbol
  readonly bin: number | 'auto'
  readonly from: Micros
  readonly to: Micros
}

export interface ProfileAnswer {
  /** Fields of the API's answer, as JSON text. */
  readonly text: string
  readonly is_final: boolean
}

type ProfileSources = Omit<BarSources, 'cache'>

export function readProfile(
  sources: ProfileSources,
  wanted: ProfileWanted,
): Promise<ProfileAnswer> {
  return sources.sync.fromStored(() => readOnce(sources, wanted))
}

async function readOnce(
  { pool, sync }: ProfileSources,
  { symbol, bin, ...asked }: ProfileWanted,
): Promise<ProfileAnswer> {
  const from = micros(Math.floor(asked.from / MINUTE_US) * MINUTE_US)
  const to = micros(Math.ceil(asked.to / MINUTE_US) * MINUTE_US)
  const { symbol_id, tick_size } = symbol
  const state = await settledState(pool, symbol_id, from, to)
  const stored = await sync.summaries(symbol, state, from, to)
  const tail = await readTail(pool, symbol, micros(Math.max(state.final_to, from)), to)
  const minutes = [...stored, ...tail]
  const bounds = { from: toIso(from), to: toIso(to) }
  const is_final = to <= state.final_to
  const tick = decimalText(tick_size, symbol.price_decimals)
  if (minutes.length === 0) {
    const bin_ticks = bin === 'auto' ? 1 : bin
    const nothing = { poc: null, value_area_low: null, value_area_high: null, volume: '0' }
    const empty = { ...bounds, tick_size: tick, bin_ticks, ...nothing, cells: [] }
    return { text: JSON.stringify(empty), is_final }
  }
  const high = minutes.reduce((max, minute) => Math.max(max, minute.high!), -Infinity)
  const low = minutes.reduce((min, minute) => Math.min(min, minute.low!), Infinity)
  const bin_ticks = bin === 'auto' ? binOfSpan(low, high, tick_size) : bin
  const step = stepOf(symbol, bin_ticks)
  const source = { pool, symbol_id, final_to: state.final_to, tail }
  const [folded] = await foldSpans(source, [{ from, to, step, minute_count: minutes.length }])
  const bar = folded!
  if (bar.cells.length > CELLS_MAX) throw tooFine(from, bar.cells.length)
  const figures = figuresOf(bar, step)
  const volume = exactText(plus(figures.buy_volume, figures.sell_volume), symbol.qty_decimals)
  return {
    text: JSON.stringify({
      ...bounds,
      tick_size: tick,
      bin_ticks,
      ...areaOf(figures, symbol),
      volume,
      cells: cellRows(bar.cells, symbol),
    }),
    is_final,
  }
}
