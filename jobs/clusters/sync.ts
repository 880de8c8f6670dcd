/**
 * The sync manager: finds which minutes of a range are missing, and has each hour of them computed
 * once, however many ask. A computation goes on when its callers have gone.
 */
import { MINUTE_US } from '#core/clusters/intervals.ts'
import { OperatorError } from '#core/errors.ts'
import { HOUR_US, type Micros, micros } from '#core/time.ts'
import { type MinuteSummary, selectSummaries } from './base-rows.ts'
import { type ComputeSources, computeHour } from './compute-hour.ts'
import { selectDataHours, within } from './data-hours.ts'
import type { RecordedSymbol } from './instruments.ts'
import type { ClusterState } from './state.ts'
import type { SizedCache } from './sized-cache.ts'
import { createTurns } from './turns.ts'

export interface SyncCounts {
  /** Hours of a symbol of which minutes were computed. */
  hours: number
  minutes: number
}

export interface SyncManager {
  readonly counts: SyncCounts
  /** Hours that are being computed, or wait for it. */
  readonly running_count: number
  /**
   * Summaries of the final minutes of [from, to), in order, those without trades left out. When it
   * resolves, the minutes are stored.
   */
  summaries(
    symbol: RecordedSymbol,
    state: ClusterState,
    from: Micros,
    to: Micros,
  ): Promise<readonly MinuteSummary[]>
  /**
   * What `read` makes of summaries and of the stored minutes that they promise. Minutes may be gone
   * since: late trades delete them, and retention drops old days. Then it reads again, once, from
   * summaries that are read again too.
   */
  fromStored<T>(read: () => Promise<T>): Promise<T>
  /** Computes what is missing of the hour's final minutes. */
  computeHour(symbol: RecordedSymbol, state: ClusterState, hour: Micros): Promise<void>
}

/** Each holds a connection and the trades of an hour. */
const COMPUTED_AT_ONCE = 2
const SUMMARY_BYTES = 120

export function createSyncManager(
  sources: ComputeSources,
  cache: SizedCache<readonly MinuteSummary[]>,
): SyncManager {
  const counts: SyncCounts = { hours: 0, minutes: 0 }
  const running = new Map<string, Promise<void>>()
  const turns = createTurns(COMPUTED_AT_ONCE)

  const compute = (symbol: RecordedSymbol, state: ClusterState, hour: Micros): Promise<void> => {
    const span = within(hour, hour, state.final_to)
    const key = `${symbol.symbol_id}/${hour}/${span.to}`
    const known = running.get(key)
    if (known !== undefined) return known
    const made = turns(async () => {
      const count = await computeHour(sources, { ...symbol, ...span })
      if (count === 0) return
      counts.hours++
      counts.minutes += count
    }).finally(() => running.delete(key))
    running.set(key, made)
    return made
  }

  return {
    counts,
    get running_count() {
      return running.size
    },
    computeHour: compute,
    async fromStored(read) {
      try {
        return await read()
      } catch (error) {
        if (!(error instanceof OperatorError) || error.code !== CHANGING) throw error
        cache.clear()
        return read()
      }
    },
    async summaries(symbol, state, from, to) {
      const { pool } = sources
      const end = micros(Math.min(to, state.final_to))
      if (from >= end) return []
      const keyOf = (hour: Micros): string =>
        `${state.epoch}/${symbol.symbol_id}/${hour}/${state.versionOf(hour)}`
      const hours = await selectDataHours(pool, symbol.exchange, from, end)
      const found = new Map<number, readonly MinuteSummary[]>()
      let wanted = hours
      for (const hour of hours) {
        const known = cache.get(keyOf(hour))
        if (known !== undefined) found.set(hour, known)
      }
      for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        wanted = wanted.filter((hour) => !found.has(hour))
        for (const run of runsOf(wanted)) {
          const run_end = micros(Math.min(run.to, state.final_to))
          const rows = await selectSummaries(pool, symbol.symbol_id, run.from, run_end)
          for (const [hour, minutes] of byHour(rows)) {
            const { to: hour_to } = within(hour, hour, state.final_to)
            if (minutes.length < (hour_to - hour) / MINUTE_US) continue
            const traded = minutes.filter(({ open }) => open !== null)
            found.set(hour, traded)
            if (hour_to === hour + HOUR_US) {
              cache.set(keyOf(hour), traded, traded.length * SUMMARY_BYTES + 200)
            }
          }
        }
        const missing = wanted.filter((hour) => !found.has(hour) && hour < state.final_to)
        if (missing.length === 0) break
        await Promise.all(missing.map((hour) => compute(symbol, state, hour)))
      }
      if (hours.some((hour) => !found.has(hour))) throw isChanging()
      return hours
        .flatMap((hour) => found.get(hour) ?? [])
        .filter(({ ts }) => ts >= from && ts < end)
    },
  }
}

/** Late trades may delete minutes while they are read. */
const ATTEMPTS_MAX = 5

const CHANGING = 'clusters_changing'

/** Also for a reader that finds fewer minutes than it was promised. */
export function isChanging(): OperatorError {
  return new OperatorError(CHANGING, 'Late trades keep changing the range.', {
    hint: 'Try again in a few seconds.',
    retryable: true,
  })
}

/** Hours that follow each other, as one span. */
function runsOf(
  hours: readonly Micros[],
): readonly { readonly from: Micros; readonly to: Micros }[] {
  const runs: { from: Micros; to: Micros }[] = []
  for (const hour of hours) {
    const last = runs.at(-1)
    if (last?.to === hour) last.to = micros(hour + HOUR_US)
    else runs.push({ from: hour, to: micros(hour + HOUR_US) })
  }
  return runs
}

function byHour(rows: readonly MinuteSummary[]): ReadonlyMap<Micros, MinuteSummary[]> {
  const hours = new Map<Micros, MinuteSummary[]>()
  for (const row of rows) {
    const hour = micros(Math.floor(row.ts / HOUR_US) * HOUR_US)
    const known = hours.get(hour)
    if (known === undefined) hours.set(hour, [row])
    else known.push(row)
  }
  return hours
}
