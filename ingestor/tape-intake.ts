/**
 * Appends everything that is recorded to the tape: frames, REST answers and marks of one exchange.
 * Counts the frames.
 *
 * If even the tape's reserve has no room for a mark, it waits in memory, and later marks wait
 * behind it. They are written in order, with their original times, before any frame. While the tape
 * is full only a change of the listing makes marks, so few wait. If the process dies, the first
 * mark of the next start covers the waiting ones: the streams were lost since the last record.
 */
import type { Logger } from '#core/node/log.ts'
import type { Micros } from '#core/time.ts'
import type { Mark, RecordKind } from './tape/record.ts'
import type { AppendResult, Tape } from './tape/tape.ts'
import type { Clock } from './transport/clock.ts'
import type { RestAnswer } from './transport/rest-client.ts'

/** Longest record. The listing of a big exchange has several megabytes. */
export const RECORD_BYTES_MAX = 8 * 1024 * 1024

const RATE_WINDOW_MS = 500

export interface TapeIntake {
  readonly frames_received: number
  takeFrame(connection: number, frame: Buffer, ts_ingest: Micros): void
  /** True if the tape accepted it. */
  takeAnswer(answer: RestAnswer): boolean
  takeMark(mark: Mark): void
  /** Writes the waiting marks once the tape has room again. Call before frames arrive. */
  writeWaiting(): void
  /** Rate since the last call, measured over at least RATE_WINDOW_MS. */
  framesPerSecond(): number
}

export function createTapeIntake(
  tape: Tape,
  exchange_code: number,
  clock: Pick<Clock, 'now'>,
  log: Logger,
): TapeIntake {
  const waiting: { readonly made_at: Micros; readonly payload: Buffer }[] = []
  let frames_received = 0
  let rate = { frames: 0, at_ms: performance.now(), per_s: 0 }
  const append = (
    kind: RecordKind,
    connection: number,
    ts_ingest: Micros,
    payload: Buffer,
  ): AppendResult => {
    const taken = tape.append(kind, exchange_code, connection, ts_ingest, payload)
    // onFull reports 'full' once. The transport already blocks frames that are too large.
    if (taken === 'too_large') {
      log.error(
        { code: 'record_too_large', kind, bytes: payload.length, bytes_max: RECORD_BYTES_MAX },
        'A record is too large for the tape; it is lost.',
      )
    }
    return taken
  }
  const writeWaiting = (): void => {
    const left = waiting.findIndex(
      ({ made_at, payload }) => append('mark', 0, made_at, payload) === 'full',
    )
    waiting.splice(0, left === -1 ? waiting.length : left)
    tape.flush()
  }
  /** Appends after the waiting marks. True if the tape accepted it. */
  const appendBehind: (...record: Parameters<typeof append>) => boolean = (...record) => {
    if (waiting.length > 0) writeWaiting()
    return waiting.length === 0 && typeof append(...record) === 'number'
  }
  return {
    get frames_received() {
      return frames_received
    },
    takeFrame(connection, frame, ts_ingest) {
      frames_received++
      appendBehind('frame', connection, ts_ingest, frame)
    },
    takeAnswer: ({ path, body, ts_ingest }) =>
      appendBehind('rest', 0, ts_ingest, Buffer.from(`${path}\n${body}`)),
    takeMark(mark) {
      // A waiting mark already shows that the ingestor is running.
      if (mark.kind === 'alive' && waiting.length > 0) return
      waiting.push({ made_at: clock.now(), payload: Buffer.from(JSON.stringify(mark)) })
      writeWaiting()
    },
    writeWaiting,
    framesPerSecond() {
      const now_ms = performance.now()
      const { frames, at_ms } = rate
      if (now_ms - at_ms >= RATE_WINDOW_MS) {
        const per_s = Math.round(((frames_received - frames) * 1_000) / (now_ms - at_ms))
        rate = { frames: frames_received, at_ms: now_ms, per_s }
      }
      return rate.per_s
    },
  }
}
