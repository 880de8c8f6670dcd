/**
 * The gaps that must be in the ledger after symbols left and came back: pure, from where each
 * stream stopped and where it went on. ledger.ts reads both from the database. All times [us].
 */

/** The last event before an absence. */
export interface LastEvent {
  /** Null: the stream had no event yet. */
  readonly id: number | null
  /** Newest fill of a trade; null elsewhere. */
  readonly last_fill: number | null
  /** Without an event: when the stream was subscribed. */
  readonly ts_exchange: number
}

export interface FirstEvent {
  readonly id: number
  /** The id that it names as the one before; null where ids only grow. */
  readonly follows: number | null
  readonly first_fill: number | null
  readonly ts_exchange: number
}

/** From a change without the stream to the change with it. */
export interface Absence {
  /** Where the ingestor stopped, as it committed it. */
  readonly last: LastEvent
  /** When the change that removed the stream was answered. */
  readonly left_at: number
  /** When the change that chose it again was requested; undefined: it has not come back. */
  readonly returned_at: number | undefined
  /** The first event since, before the stream left again; undefined: it said nothing. */
  readonly first: FirstEvent | undefined
}

/** A gap begins and ends within these times, both included. Null: it has not ended. */
export interface ExpectedGap {
  readonly from: Span
  readonly to: Span | null
}

interface Span {
  readonly min: number
  readonly max: number
}

/**
 * One gap for each absence, in order. None if the first event after it directly follows the last
 * one before it. Absences between which a stream said nothing share a gap, unless its events are
 * rare (`is_rare`): then its subscription ends the gap, or an event that comes sooner.
 */
export function expectedGaps(
  absences: readonly Absence[],
  is_rare: boolean,
): readonly ExpectedGap[] {
  const gaps: ExpectedGap[] = []
  let open: Absence | undefined
  for (const absence of absences) {
    // The repair of a quiet trade stream asked for the newest trade, and the gap ended there.
    if (open !== undefined && absence.last.id !== open.last.id) {
      gaps.push({ from: fromOf(open), to: exactly(absence.last.ts_exchange) })
      open = undefined
    }
    open ??= absence
    const { returned_at, first } = absence
    if (returned_at === undefined) continue
    if (is_rare) {
      gaps.push({ from: fromOf(open), to: { min: returned_at, max: Infinity } })
    } else if (first === undefined) continue
    else if (!follows(open.last, first)) {
      gaps.push({ from: fromOf(open), to: exactly(first.ts_exchange) })
    }
    open = undefined
  }
  if (open !== undefined) gaps.push({ from: fromOf(open), to: null })
  return gaps
}

/** A stream that was quiet for long was still covered until shortly before it left. */
function fromOf({ last, left_at }: Absence): Span {
  return { min: last.ts_exchange, max: left_at }
}

function exactly(time: number): Span {
  return { min: time, max: time }
}

function follows({ id, last_fill }: LastEvent, first: FirstEvent): boolean {
  if (id === null) return false
  if (last_fill !== null && first.first_fill === last_fill + 1) return true
  return first.follows !== null && first.follows <= id
}
