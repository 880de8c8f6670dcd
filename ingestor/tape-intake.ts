/**
 * Everything that goes onto the tape while recording: frames, REST answers and marks of one
 * exchange. Counts the frames.
 */
import type { Logger } from '#core/node/log.ts'
import type { Micros } from '#core/time.ts'
import type { Mark, RecordKind } from './tape/record.ts'
import type { Tape } from './tape/tape.ts'
import type { Clock } from './transport/clock.ts'
import type { RestAnswer } from './transport/rest-client.ts'

/** Longest record: the listing of a big exchange has some megabytes. */
export const RECORD_BYTES_MAX = 8 * 1024 * 1024

const RATE_WINDOW_MS = 500

export interface TapeIntake {
  readonly frames_received: number
  takeFrame(connection: number, frame: Buffer, ts_ingest: Micros): void
  /** True where the tape has taken it. */
  takeAnswer(answer: RestAnswer): boolean
  takeMark(mark: Mark): void
  /** Over the time since the last call but RATE_WINDOW_MS at least. */
  framesPerSecond(): number
}

export function createTapeIntake(
  tape: Tape,
  exchange_code: number,
  clock: Clock,
  log: Logger,
): TapeIntake {
  let frames_received = 0
  let rate = { frames: 0, at_ms: performance.now(), per_s: 0 }
  const append = (
    kind: RecordKind,
    connection: number,
    ts_ingest: Micros,
    payload: Buffer,
  ): boolean => {
    const taken = tape.append(kind, exchange_code, connection, ts_ingest, payload)
    // 'full' is told by onFull, once. The transport lets no frame through that is too large.
    if (taken !== 'too_large') return taken !== 'full'
    log.error(
      { code: 'record_too_large', kind, bytes: payload.length, bytes_max: RECORD_BYTES_MAX },
      'A record is too large for the tape; it is lost.',
    )
    return false
  }
  return {
    get frames_received() {
      return frames_received
    },
    takeFrame(connection, frame, ts_ingest) {
      frames_received++
      append('frame', connection, ts_ingest, frame)
    },
    takeAnswer: ({ path, body, ts_ingest }) =>
      append('rest', 0, ts_ingest, Buffer.from(`${path}\n${body}`)),
    takeMark(mark) {
      append('mark', 0, clock.now(), Buffer.from(JSON.stringify(mark)))
      tape.flush()
    },
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
