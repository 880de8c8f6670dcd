/**
 * Which partitions go, and why the others stay: a pure function of what there is. The plan says
 * what may be dropped; whether it still may is looked at again under the lock (drop.ts).
 *
 * Rules
 * 1. A raw partition goes only if its hour is archived, and nothing came since.
 * 2. A partition of what is made from raw rows (orderbook_topn, rollups) goes only if no raw
 *    partition of its span waits to be archived.
 * 3. What is empty, or a remainder of an hour that was dropped before, goes at once. Else a
 *    partition goes by its age, and the oldest hours go until the rest fits the budget.
 */
import { DAY_US, HOUR_US, type Micros } from '#core/time.ts'
import type { RetentionKind, RetentionSettings } from './settings.ts'

export interface PartitionState {
  readonly table_name: string
  readonly partition: string
  readonly kind: RetentionKind
  /** Span of its rows. */
  readonly from: Micros
  readonly to: Micros
  readonly byte_count: number
  readonly is_empty: boolean
  /** Raw tables that it is made from; undefined: it is one itself. */
  readonly made_from: readonly string[] | undefined
  readonly is_archived: boolean
  /** Its hour was dropped before: these are rows that came later. */
  readonly is_remainder: boolean
  /** A consumer has yet to look at rows that came late. */
  readonly has_late_rows: boolean
  /** A rollup has not got so far yet. */
  readonly is_ahead_of_rollup: boolean
}

export type DropReason = 'age' | 'budget' | 'empty' | 'remainder'
export type KeepReason =
  | 'not_over'
  | 'not_archived'
  | 'late_rows'
  | 'rollup_behind'
  | 'source_not_archived'
  | 'within_limits'

export type Fate =
  | { readonly kind: 'drop'; readonly reason: DropReason }
  | { readonly kind: 'keep'; readonly reason: KeepReason }

export interface PlannedPartition {
  readonly state: PartitionState
  readonly fate: Fate
}

export interface RetentionPlan {
  /** Oldest first. */
  readonly partitions: readonly PlannedPartition[]
  /** Of the hourly partitions. */
  readonly used_bytes: number
  readonly budget_bytes: number
}

/** An hour may still get rows until the archive takes it. */
const SETTLED_US = HOUR_US

export function planRetention(
  states: readonly PartitionState[],
  { budget_bytes, days }: RetentionSettings,
  now: Micros,
): RetentionPlan {
  const oldest_first = states.toSorted(
    (left, right) => left.from - right.from || (left.partition < right.partition ? -1 : 1),
  )
  const waiting = states.filter((state) => isWaiting(state))
  const used_bytes = sumBytes(states)
  let excess_bytes = budget_bytes === 0 ? 0 : used_bytes - budget_bytes
  const dropBecause = (state: PartitionState): DropReason | undefined => {
    if (state.is_empty) return 'empty'
    if (state.is_remainder) return 'remainder'
    const limit_days = days[state.kind]
    if (limit_days > 0 && state.to + limit_days * DAY_US <= now) return 'age'
    return excess_bytes > 0 && isHourly(state) ? 'budget' : undefined
  }
  const partitions = oldest_first.map((state) => {
    const obstacle = obstacleOf(state, waiting, now)
    const reason = obstacle === undefined ? dropBecause(state) : undefined
    if (reason === undefined) {
      return { state, fate: { kind: 'keep', reason: obstacle ?? 'within_limits' } } as const
    }
    if (isHourly(state)) excess_bytes -= state.byte_count
    return { state, fate: { kind: 'drop', reason } } as const
  })
  return { partitions, used_bytes, budget_bytes }
}

/** Why it may not go, whatever its age. */
function obstacleOf(
  state: PartitionState,
  waiting: readonly PartitionState[],
  now: Micros,
): KeepReason | undefined {
  if (state.to + SETTLED_US > now) return 'not_over'
  if (state.has_late_rows) return 'late_rows'
  if (state.is_empty) return undefined
  if (state.made_from === undefined && !state.is_archived) return 'not_archived'
  if (state.is_ahead_of_rollup) return 'rollup_behind'
  const is_source_waiting = waiting.some(
    ({ table_name, from, to }) =>
      state.made_from?.includes(table_name) === true && from < state.to && to > state.from,
  )
  return is_source_waiting ? 'source_not_archived' : undefined
}

function isWaiting(state: PartitionState): boolean {
  if (state.made_from !== undefined || state.is_empty) return false
  return !state.is_archived || state.has_late_rows
}

function isHourly({ kind }: PartitionState): boolean {
  return kind !== 'rollups'
}

function sumBytes(states: readonly PartitionState[]): number {
  return states.filter(isHourly).reduce((sum, { byte_count }) => sum + byte_count, 0)
}
