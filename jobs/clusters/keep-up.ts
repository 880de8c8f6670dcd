/**
 * Keeps symbols up: their minutes are computed when they are over, and again after late trades. In
 * the passive mode, with no symbol to keep up, it only settles late trades.
 */
import { MINUTE_US } from '#core/clusters/intervals.ts'
import { fromMillis, HOUR_US, hourStart, type Micros, micros, toIso } from '#core/time.ts'
import type { Pool } from '#core/node/pool.ts'
import { closeMinutes } from './final-minutes.ts'
import type { RecordedSymbol } from './instruments.ts'
import { registerEngine } from './registration.ts'
import { settle, settledState } from './state.ts'
import type { SyncManager } from './sync.ts'
import type { Watch } from './watch.ts'

export interface KeepUp {
  /** Symbols that the last round kept up. */
  readonly symbol_count: number
  /** How far they are kept up. */
  readonly reached: Micros | undefined
  /** One round. */
  run(signal: AbortSignal): Promise<void>
}

export interface KeepUpOptions {
  readonly pool: Pool
  readonly sync: SyncManager
  readonly watch: Watch
  /** Milliseconds since 1970. */
  now(): number
}

export function createKeepUp({ pool, sync, watch, now }: KeepUpOptions): KeepUp {
  /** By symbol: minutes before it were computed by this engine. */
  let reached_by_symbol = new Map<number, Micros>()
  let symbol_count = 0
  let reached: Micros | undefined
  return {
    get symbol_count() {
      return symbol_count
    },
    get reached() {
      return reached
    },
    async run(signal) {
      // Registering emptied the table.
      if (await registerEngine(pool)) reached_by_symbol = new Map()
      const changed = await settle(pool, undefined)
      const symbols = await watch.symbols()
      symbol_count = symbols.length
      if (symbols.length === 0) return
      await closeMinutes(pool, fromMillis(now()))
      const state = await settledState(pool, symbols[0]!.symbol_id, NOW, NOW)
      const { final_to } = state
      // Nothing was read as final yet.
      if (final_to === 0) return
      const next = new Map<number, Micros>()
      const work = async (symbol: RecordedSymbol): Promise<void> => {
        const hours = new Set<Micros>()
        const { symbol_id } = symbol
        // A symbol that is new here begins with the hour of its newest minute.
        const from = reached_by_symbol.get(symbol_id) ?? hourStart(micros(final_to - MINUTE_US))
        for (let hour = hourStart(from); hour < final_to; hour = micros(hour + HOUR_US)) {
          if (from < final_to) hours.add(hour)
        }
        for (const span of changed) {
          if (span.symbol_id !== symbol_id || span.from >= final_to) continue
          for (let hour = hourStart(span.from); hour < span.to; hour = micros(hour + HOUR_US)) {
            hours.add(hour)
          }
        }
        for (const hour of hours) {
          if (signal.aborted) return
          await sync.computeHour(symbol, state, hour)
        }
        next.set(symbol_id, final_to)
      }
      await Promise.all(symbols.map(work))
      reached_by_symbol = next
      reached = final_to
    },
  }
}

/** The state's threshold does not depend on the range. */
const NOW = micros(0)

/** For the log. */
export function describeKeepUp({ symbol_count, reached }: KeepUp): Record<string, unknown> {
  return { symbol_count, reached: reached === undefined ? null : toIso(reached) }
}
