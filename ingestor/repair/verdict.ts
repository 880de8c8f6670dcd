/** Decides what the ledger records after an attempt. Pure: time and randomness are arguments. */
import { type Micros, micros } from '#core/time.ts'
import { backoffMs } from '#core/waiting.ts'
import { storableText } from '../writer/storable-text.ts'
import type { TradeGap, Verdict } from './ledger.ts'
import type { RefillEnd } from './refill.ts'

export interface VerdictSettings {
  /** Answers that leave a gap open before repair gives up. */
  readonly attempts_max: number
  readonly backoff_base_ms: number
  readonly backoff_cap_ms: number
  /** Delay after no answer at all, which says nothing about the gap. */
  readonly unanswered_ms: number
}

export interface Attempt {
  readonly gap: Pick<TradeGap, 'from_id' | 'to_id' | 'from_ts' | 'to_ts' | 'repair_attempts'>
  /** Ids without a row once everything received is committed. */
  readonly missing_count: number
  /** Trades of the gap that are stored by then. */
  readonly stored_count: number
  /** Missing ids that the exchange left out because they are not market trades. */
  readonly void_count: number
  readonly end: Exclude<RefillEnd, { kind: 'tape_full' }>
  /** See windowStart in refill.ts. */
  readonly oldest: number | undefined
  readonly window_s: number | undefined
}

const NOTE_CHARS_MAX = 300
const MICROS_PER_MS = 1_000

export function judge(
  attempt: Attempt,
  settings: VerdictSettings,
  now: Micros,
  random: () => number,
): Verdict {
  const { gap, missing_count, stored_count: repaired_count, void_count, end } = attempt
  const wanted_count = idCount(gap)
  const left_count = missing_count - void_count
  const known = { repaired_count, repair_attempts: gap.repair_attempts }
  if (left_count <= 0) {
    const odd = `${missing_count} of ${wanted_count} ids are not market trades.`
    const repair_note = missing_count > 0 ? odd : null
    return { ...known, is_closed: true, repair_note, due_at: undefined }
  }
  const left = `${left_count} of ${wanted_count} trades are missing`
  const later = (delay_ms: number): Micros => micros(now + Math.round(delay_ms) * MICROS_PER_MS)
  if (end.kind === 'more') {
    const repair_note = `${left}; requesting more.`
    return { ...known, is_closed: false, repair_note, due_at: undefined }
  }
  if (end.kind === 'unanswered') {
    const repair_note = clip(`${left}. No answer from the exchange: ${end.detail}`)
    return { ...known, is_closed: false, repair_note, due_at: later(settings.unanswered_ms) }
  }
  const repair_attempts = gap.repair_attempts + 1
  const reason =
    end.kind === 'refused'
      ? end.detail
      : attempt.oldest !== undefined && gap.from_ts < attempt.oldest
        ? windowReason(attempt)
        : 'The exchange does not return them.'
  const is_last = repair_attempts >= settings.attempts_max
  const tries = `${repair_attempts} attempts${is_last ? ', given up' : ''}`
  return {
    ...known,
    is_closed: false,
    repair_attempts,
    repair_note: clip(`${left} after ${tries}. ${reason}`),
    // The exponent grows by two, so five delays with the defaults span well over an hour.
    due_at: is_last ? 'never' : later(backoffMs(2 * repair_attempts, settings, random)),
  }
}

/** The exchange did not say where a gap without a first id begins. */
export function unlocated(
  { repair_attempts: attempts_before }: Pick<TradeGap, 'repair_attempts'>,
  end: Extract<RefillEnd, { readonly detail: string }>,
  settings: VerdictSettings,
  now: Micros,
  random: () => number,
): Verdict {
  const is_answer = end.kind === 'refused'
  const repair_attempts = attempts_before + (is_answer ? 1 : 0)
  const delay_ms = is_answer
    ? backoffMs(2 * repair_attempts, settings, random)
    : settings.unanswered_ms
  return {
    is_closed: false,
    repaired_count: 0,
    repair_note: clip(`The start of the gap is not known yet: ${end.detail}`),
    repair_attempts,
    due_at:
      repair_attempts >= settings.attempts_max
        ? 'never'
        : micros(now + Math.round(delay_ms) * MICROS_PER_MS),
  }
}

/** The verdict for gaps that need no request; undefined for all others. */
export function hopeless({
  gap,
  missing_count,
  stored_count,
  oldest,
  window_s,
}: Pick<Attempt, 'gap' | 'missing_count' | 'stored_count' | 'oldest' | 'window_s'>):
  | Verdict
  | undefined {
  const never = (repair_note: string, repaired_count: number): Verdict => ({
    is_closed: false,
    repaired_count,
    repair_note,
    repair_attempts: gap.repair_attempts,
    due_at: 'never',
  })
  if (gap.from_id === null || gap.to_id === null) return never('The gap has no ids to request.', 0)
  if (gap.to_id <= gap.from_id) {
    return never('The ids restarted inside the gap; the number of missing trades is unknown.', 0)
  }
  if (missing_count === 0 || oldest === undefined || gap.to_ts >= oldest) return undefined
  const left = `${missing_count} of ${idCount(gap)} trades are missing. `
  return never(left + windowReason({ window_s }), stored_count)
}

function windowReason({ window_s }: Pick<Attempt, 'window_s'>): string {
  return `The exchange returns only trades of the last ${Math.round((window_s ?? 0) / 3_600)} hours.`
}

function idCount({ from_id, to_id }: Attempt['gap']): number {
  return from_id === null || to_id === null ? 0 : Math.max(0, to_id - from_id - 1)
}

/** The exchange's text may contain anything. */
function clip(text: string): string {
  const short = text.length <= NOTE_CHARS_MAX ? text : `${text.slice(0, NOTE_CHARS_MAX - 3)}...`
  return storableText(short)
}
