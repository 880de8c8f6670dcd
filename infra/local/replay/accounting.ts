/**
 * Where every frame of a recording went. A replay is good only if each one is accounted for:
 * stored, a duplicate, of a stream that was not asked for, or rejected with a reason.
 */
import type { FollowCounts } from '../../../ingestor/writer/counts.ts'
import type { Ledger } from '../exchange/ledger.ts'
import type { RecordingSummary } from '../exchange/replay/recording.ts'

export interface FrameAccount {
  /** Lines of the recordings: WebSocket frames and REST answers. The others add up to it. */
  readonly recorded: number
  /** Frames and answers that became rows, or would have but for a row that was there already. */
  readonly with_events: number
  /** Frames of streams, and REST answers, that were not asked for. */
  readonly not_asked_for: number
  readonly rejected: number
  /** Acknowledgements and other frames without data that stand in the recordings. */
  readonly control: number
}

export interface Accounting {
  readonly frames: FrameAccount
  /** The lines that were not asked for, by class. */
  readonly not_asked_for: Readonly<Record<string, number>>
  /** Sentences; empty where every frame is accounted for. */
  readonly problems: readonly string[]
}

const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((total, count) => total + count, 0)

/** Over sockets: the exchange's ledger says what it sent, the follower what became of it. */
export function accountForSockets(
  summary: RecordingSummary,
  ledger: Ledger,
  counts: FollowCounts,
): Accounting {
  const total = (pick: (stream: Ledger['streams'][number]) => number): number =>
    ledger.streams.reduce((count, stream) => count + pick(stream), 0)
  const sent = total((stream) => stream.sent_count)
  const not_subscribed = total((stream) => stream.not_subscribed_count)
  const undelivered = total((stream) => stream.undelivered_count)
  const rejected = sum(counts.rejected)
  const problems = [...commonProblems(counts)]
  const played = sent + not_subscribed + undelivered + ledger.unroutable_count
  if (played !== summary.ws_count) {
    problems.push(`The recording has ${summary.ws_count} frames, the exchange server played ${played}.`)
  }
  if (undelivered > 0) problems.push(`${undelivered} frames were not delivered.`)
  const placed = placedFrames(counts)
  if (placed < sent || placed > sent + ledger.unroutable_sent_count) {
    problems.push(`${sent} frames were sent, ${placed} arrived and were read.`)
  }
  const not_asked_for: Record<string, number> = { ...counts.ignored }
  for (const { stream, not_subscribed_count } of ledger.streams) {
    const stream_class = stream.split('@')[1] ?? stream
    if (not_subscribed_count > 0) {
      not_asked_for[stream_class] = (not_asked_for[stream_class] ?? 0) + not_subscribed_count
    }
  }
  const { given_count } = ledger.snapshots
  if (counts.book_answers < given_count) {
    const { book_answers } = counts
    problems.push(`${given_count} book snapshots were given, ${book_answers} arrived and were read.`)
  }
  const rest_left = summary.rest_count - given_count
  if (rest_left > 0) not_asked_for['rest'] = rest_left
  return {
    not_asked_for,
    frames: {
      recorded: summary.ws_count + summary.rest_count,
      with_events: counts.event_frames + given_count,
      not_asked_for: sum(not_asked_for),
      rejected: rejected + (ledger.unroutable_count - ledger.unroutable_sent_count),
      control: sent + ledger.unroutable_sent_count - placed,
    },
    problems,
  }
}

/**
 * Frames that were read and belong to a stream. Frames that belong to none may be control or
 * rejected; all others are one of these three.
 */
export function placedFrames(counts: FollowCounts): number {
  return counts.event_frames + sum(counts.ignored) + sum(counts.rejected)
}

/** Onto the tape: every line of the recording is a record, and the follower read them all. */
export function accountForTape(summary: RecordingSummary, counts: FollowCounts): Accounting {
  const problems = [...commonProblems(counts)]
  if (counts.frames !== summary.ws_count || counts.rest_answers !== summary.rest_count) {
    problems.push(
      `The recording has ${summary.ws_count} frames and ${summary.rest_count} REST answers; ` +
        `${counts.frames} and ${counts.rest_answers} were read from the tape.`,
    )
  }
  return {
    not_asked_for: counts.ignored,
    frames: {
      recorded: summary.ws_count + summary.rest_count,
      with_events: counts.event_frames + counts.event_answers,
      not_asked_for: sum(counts.ignored),
      rejected: sum(counts.rejected),
      control: counts.control,
    },
    problems,
  }
}

function* commonProblems(counts: FollowCounts): Generator<string> {
  const events = sum(counts.events)
  const repeated = sum(counts.duplicates) + sum(counts.conflicts)
  const ended = sum(counts.rows) + repeated + counts.dead_letters
  if (events !== ended) yield `${events} rows were parsed, ${ended} ended in a table or a dead letter.`
  if (counts.dead_letters > 0) yield `${counts.dead_letters} rows were refused by Postgres.`
  if (counts.damaged_bytes > 0) yield `${counts.damaged_bytes} bytes of the tape could not be read.`
}
