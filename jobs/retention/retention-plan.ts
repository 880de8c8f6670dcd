/**
 * Which partitions go, and why the others stay: a pure function of what there is. The plan says
 * what may be dropped; whether it still may is looked at again under the lock (drop.ts).
 *
 * Rules
 * 1. A partition goes only if its rows are archived, and nothing came since.
 * 2. One of what is made from others (orderbook_topn, rollups) moreover goes only if everything in
 *    its span that it is made from is gone, or could go now.
 * 3. What is empty, or a remainder of an hour that was dropped before, goes at once. Else a
 *    partition goes by its age, and the oldest hours go until the rest fits the budget.
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
  /** Tables that it is made from; undefined: it is a raw one. */
  readonly made_from: readonly ArchivedTable[] | undefined
  readonly is_archived: boolean
  /** Its hour was dropped before: these are rows that came later. */
  readonly is_remainder: boolean
  /** A consumer has yet to look at rows that came late. */
  readonly has_late_rows: boolean
  /** A rollup has not got so far yet. */
  readonly is_ahead_of_rollup: boolean
  /** It has depth that orderbook_topn was not made from yet. */
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
  /** Of the hourly partitions. */
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

/** Why partitions may not go, whatever their age; those that may are not in it. */
function obstaclesOf(
  states: readonly PartitionState[],
  settled: Micros,
): ReadonlyMap<PartitionState, KeepReason> {
  const obstacles = new Map<PartitionState, KeepReason>()
  // What others are made from comes before them.
  for (const state of states.toSorted((left, right) => rankOf(left) - rankOf(right))) {
    const obstacle = ownObstacle(state, settled) ?? sourceObstacle(state, obstacles)
    if (obstacle !== undefined) obstacles.set(state, obstacle)
  }
  return obstacles
}

/** Raw rows, then what is made from them alone, then what may be made from that too. */
function rankOf({ made_from, kind }: PartitionState): number {
  if (made_from === undefined) return 0
  return kind === 'rollups' ? 2 : 1
}

/** `settled`: what ended before it gets no rows any more but late ones. */
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
