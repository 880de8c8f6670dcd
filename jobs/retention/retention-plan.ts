/**
 * Decides which partitions to drop, and why the others stay: a pure function of their state.
 * drop.ts checks everything again under its locks.
 *
 * Rules
 * 1. A partition is dropped only if its rows are archived and none have arrived since.
 * 2. A partition of a derived table (orderbook_topn, rollups) is dropped only if all its sources in
 *    the same span are gone, or could be dropped now.
 * 3. An empty partition is dropped at once. So is the remainder of an hour that was dropped before.
 *    Others are dropped by age, and then oldest first until the rest fits the budget.
 */
import type { ArchivedTable } from '#core/archived-tables.ts'
import { DAY_US, HOUR_US, type Micros, micros } from '#core/time.ts'
import type { RetentionKind, RetentionSettings } from './settings.ts'

export interface PartitionState {
  readonly table_name: ArchivedTable
  readonly partition: string
  readonly kind: RetentionKind
  /** Span of its rows. */
  readonly from: Micros
  readonly to: Micros
  readonly byte_count: number
  readonly is_empty: boolean
  /** Source tables; undefined for a raw table. */
  readonly made_from: readonly ArchivedTable[] | undefined
  readonly is_archived: boolean
  /** Its hour was dropped before, and these rows arrived later. */
  readonly is_remainder: boolean
  /** A consumer has not processed late rows yet. */
  readonly has_late_rows: boolean
  /** A rollup has not processed all its rows yet. */
  readonly is_ahead_of_rollup: boolean
  /** It has depth that orderbook_topn does not include yet. */
  readonly is_ahead_of_topn: boolean
}

export type DropReason = 'age' | 'budget' | 'empty' | 'remainder'
export type KeepReason =
  | 'not_over'
  | 'not_archived'
  | 'late_rows'
  | 'rollup_behind'
  | 'topn_behind'
  | 'source_stays'
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
  /** Size of the hourly partitions. */
  readonly used_bytes: number
  readonly budget_bytes: number
}

export function planRetention(
  states: readonly PartitionState[],
  { budget_bytes, days, settle_us }: RetentionSettings,
  now: Micros,
): RetentionPlan {
  const oldest_first = states.toSorted(
    (left, right) => left.from - right.from || (left.partition < right.partition ? -1 : 1),
  )
  const obstacles = obstaclesOf(states, micros(now - settle_us))
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
    const obstacle = obstacles.get(state)
    const reason = obstacle === undefined ? dropBecause(state) : undefined
    if (reason === undefined) {
      return { state, fate: { kind: 'keep', reason: obstacle ?? 'within_limits' } } as const
    }
    if (isHourly(state)) excess_bytes -= state.byte_count
    return { state, fate: { kind: 'drop', reason } } as const
  })
  return { partitions, used_bytes, budget_bytes }
}

/** Reasons that keep partitions whatever their age. A partition without one is not in the map. */
function obstaclesOf(
  states: readonly PartitionState[],
  settled: Micros,
): ReadonlyMap<PartitionState, KeepReason> {
  const obstacles = new Map<PartitionState, KeepReason>()
  // Sources come before the tables derived from them.
  for (const state of states.toSorted((left, right) => rankOf(left) - rankOf(right))) {
    const obstacle = ownObstacle(state, settled) ?? sourceObstacle(state, obstacles)
    if (obstacle !== undefined) obstacles.set(state, obstacle)
  }
  return obstacles
}

/** Raw rows, then tables derived from them alone, then tables derived from those as well. */
function rankOf({ made_from, kind }: PartitionState): number {
  if (made_from === undefined) return 0
  return kind === 'rollups' ? 2 : 1
}

/** `settled`: an hour that ended before it gets only late rows. */
function ownObstacle(state: PartitionState, settled: Micros): KeepReason | undefined {
  if (state.to > settled) return 'not_over'
  if (state.has_late_rows) return 'late_rows'
  if (state.is_empty) return undefined
  if (!state.is_archived) return 'not_archived'
  if (state.is_ahead_of_rollup) return 'rollup_behind'
  return state.is_ahead_of_topn ? 'topn_behind' : undefined
}

function sourceObstacle(
  { made_from = [], is_empty, from, to }: PartitionState,
  obstacles: ReadonlyMap<PartitionState, KeepReason>,
): KeepReason | undefined {
  if (is_empty) return undefined
  const stays = [...obstacles.keys()].some(
    (source) => made_from.includes(source.table_name) && source.from < to && source.to > from,
  )
  return stays ? 'source_stays' : undefined
}

function isHourly({ from, to }: PartitionState): boolean {
  return to - from === HOUR_US
}

function sumBytes(states: readonly PartitionState[]): number {
  return states.filter(isHourly).reduce((sum, { byte_count }) => sum + byte_count, 0)
}
