/**
 * Accounts for every frame of a recording. A replay succeeds only if each frame is stored, a
 * duplicate, from a stream that was not requested, or rejected with a reason.
 */
import type { FollowCounts } from '../../../ingestor/writer/counts.ts'
import type { Ledger } from '../../exchange/ledger.ts'
import type { RecordingSummary } from '../../exchange/replay/recording.ts'

export interface FrameAccount {
  /** Lines of the recordings: WebSocket frames and REST answers. The sum of the other counts. */
  readonly recorded: number
  /** Frames and answers that became rows or were duplicates of rows. */
  readonly with_events: number
  /** Frames of streams, and REST answers, that were not requested. */
  readonly not_asked_for: number
  readonly rejected: number
  /** Acknowledgements and other recorded frames without data. */
  readonly control: number
}

export interface Accounting {
  readonly frames: FrameAccount
  /** Lines that were not requested, by class. */
  readonly not_asked_for: Readonly<Record<string, number>>
  /** Sentences; empty if every frame is accounted for. */
  readonly problems: readonly string[]
}

const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((total, count) => total + count, 0)

/** Over sockets: compares what the exchange server sent with what the follower counted. */
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
    problems.push(`The recording has ${summary.ws_count} frames, but the server played ${played}.`)
  }
  if (undelivered > 0) problems.push(`${undelivered} frames were not delivered.`)
  const placed = placedFrames(counts)
  if (placed < sent || placed > sent + ledger.unroutable_sent_count) {
    problems.push(`${sent} frames were sent, but ${placed} arrived and were parsed.`)
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
    problems.push(`${given_count} book snapshots were sent, but ${book_answers} were parsed.`)
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
 * Parsed frames that belong to a stream: with events, ignored or rejected. Frames of no stream may
 * be rejected too, or control.
 */
export function placedFrames(counts: FollowCounts): number {
  return counts.event_frames + sum(counts.ignored) + sum(counts.rejected)
}

/** Via the tape: every line of the recording is a record that the follower must have read. */
export function accountForTape(summary: RecordingSummary, counts: FollowCounts): Accounting {
  const problems = [...commonProblems(counts)]
  if (counts.frames !== summary.ws_count || counts.rest_answers !== summary.rest_count) {
    problems.push(
      `The recording has ${summary.ws_count} frames and ${summary.rest_count} REST answers; ` +
        `the tape had ${counts.frames} and ${counts.rest_answers}.`,
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
  if (events !== ended) {
    yield `${events} rows were parsed, but ${ended} are in tables or dead letters.`
  }
  if (counts.dead_letters > 0) yield `Postgres refused ${counts.dead_letters} rows.`
  if (counts.damaged_bytes > 0) yield `${counts.damaged_bytes} bytes of the tape could not be read.`
}
