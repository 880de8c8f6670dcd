/**
 * A running ingestor: when its parts start, stop and hold, and what they report. recorder-parts.ts
 * creates and connects the parts.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '#core/node/log.ts'
import type { CommitMeter } from './commit-meter.ts'
import type { IngestorConfig } from './config.ts'
import { type Heartbeat, startHeartbeat } from './heartbeat.ts'
import type { Hold } from './listening.ts'
import { fetchListing } from './listing.ts'
import type { ListingWatch } from './listing-watch.ts'
import type { VitalSigns } from './liveness.ts'
import {
  type ClockSteps,
  composeRecorder,
  type FirstChoice,
  type RecorderParts,
} from './recorder-parts.ts'
import { type IngestorStatus, ingestorStatus } from './status.ts'
import type { Steering } from './steering.ts'
import type { TapeStatus } from './tape/tape.ts'
import type { TransportStatus } from './transport/transport.ts'
import type { FollowCounts } from './writer/counts.ts'
import type { StreamReport } from './writer/stream-report.ts'
import type { ThreadUsage } from './writer/thread.ts'

/** Facts that only the admin API reads. */
export interface RecorderFacts {
  readonly tape: TapeStatus
  readonly transport: TransportStatus
  readonly holds: readonly Hold[]
  readonly database_away: boolean
  readonly clock: ClockSteps
}

export interface Recorder {
  /** Rejects when recording cannot go on. */
  readonly failed: Promise<never>
  /** Settles when every subscription was acknowledged. `signal` ends the wait for that. */
  start(signal: AbortSignal): Promise<void>
  status(): IngestorStatus
  readonly steering: Pick<Steering, 'wanted' | 'names' | 'plan' | 'apply'>
  readonly commits: CommitMeter
  facts(): RecorderFacts
  vitalSigns(): VitalSigns
  writerUsage(): Promise<ThreadUsage>
  /** The writer's report on each stream. */
  streams(): Promise<readonly StreamReport[]>
  /** Settles when everything that is on the tape now is committed, with the counts so far. */
  drain(): Promise<FollowCounts>
  /** Closes the sockets, commits the tape if that can be done soon, and ends. */
  stop(): Promise<void>
}

const RELEASE_MS = 2_000
const ROOM_POLL_MS = 200
/** What is not committed by then waits on the tape for the next start. */
const STOP_COMMIT_MS = 10_000

/** Opens the tape and starts the writer; no socket is open before `start`. */
export function createRecorder(config: IngestorConfig, first: FirstChoice, log: Logger): Recorder {
  return new TapeRecorder(composeRecorder(config, first, log), log)
}

class TapeRecorder implements Recorder {
  readonly failed: Promise<never>
  readonly steering: Steering
  readonly commits: CommitMeter
  readonly #parts: RecorderParts
  readonly #log: Logger
  readonly #releaser: NodeJS.Timeout
  #listing_watch: ListingWatch | undefined
  #heartbeat: Heartbeat | undefined

  constructor(parts: RecorderParts, log: Logger) {
    this.#parts = parts
    this.#log = log
    this.steering = parts.steering
    this.commits = parts.commits
    if (parts.tape.full !== undefined) parts.listening.hold('tape_full')
    this.#releaser = setInterval(() => this.#release(), RELEASE_MS)
    this.failed = parts.writer.ended.then(() => new Promise<never>(() => undefined))
    this.failed.catch(() => undefined)
  }

  async start(signal: AbortSignal): Promise<void> {
    const aborted = new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    })
    await Promise.race([this.#begin(signal), this.failed, aborted])
  }

  async #begin(signal: AbortSignal): Promise<void> {
    const { adapter, intake, rest, snapshots, steering, tape, writer } = this.#parts
    // A missing schema is reported now, not after an hour of recording.
    await writer.tried
    // Full from the last run: the writer frees it first.
    while (tape.full !== undefined) await sleep(ROOM_POLL_MS, undefined, { signal })
    const listing = await fetchListing(rest, adapter, this.#log, signal)
    signal.throwIfAborted()
    intake.takeAnswer(listing.answer)
    const ready = steering.begin(listing, signal)
    this.#listing_watch = this.#parts.watchListing()
    this.#heartbeat = startHeartbeat(
      () => intake.frames_received,
      () => intake.takeMark({ kind: 'alive' }),
    )
    await ready
    snapshots.start()
    const symbol_count = steering.names.length
    this.#log.info({ symbol_count }, 'Every subscription was acknowledged.')
  }

  status(): IngestorStatus {
    const { clock, intake, listening, repair, steering, tape, writer } = this.#parts
    return ingestorStatus({
      tape,
      writer: writer.status(),
      books: writer.books(),
      frames_received: intake.frames_received,
      frames_per_s: intake.framesPerSecond(),
      instruments_left_out: steering.left_out_count,
      is_paused: listening.holds.has('operator'),
      repairs: repair.counts(),
      now: clock.now(),
    })
  }

  facts(): RecorderFacts {
    const { listening, tape, writer } = this.#parts
    return {
      tape: tape.status(),
      transport: listening.status(),
      holds: [...listening.holds],
      database_away: writer.status().database_away,
      clock: this.#parts.clockSteps(),
    }
  }

  vitalSigns(): VitalSigns {
    const { tape, writer } = this.#parts
    const { database_away, committed_position } = writer.status()
    return {
      writer_heard_ms: writer.heardAt(),
      database_away,
      committed_position,
      tape_end: tape.end,
    }
  }

  writerUsage(): Promise<ThreadUsage> {
    return this.#parts.writer.usage()
  }

  streams(): Promise<readonly StreamReport[]> {
    return this.#parts.writer.streams()
  }

  drain(): Promise<FollowCounts> {
    return this.#parts.drain()
  }

  async stop(): Promise<void> {
    const { listening, repair, rest, snapshots, tape, writer } = this.#parts
    clearInterval(this.#releaser)
    this.#heartbeat?.stop()
    this.#listing_watch?.stop()
    snapshots.stop()
    rest.stop()
    await Promise.all([listening.stop(), repair.stop()])
    tape.flush()
    if (!writer.status().database_away) await writer.committedSoon(tape.end, STOP_COMMIT_MS)
    await writer.stop()
    const { committed_position } = writer.status()
    this.#log.info(
      { tape_end: tape.end, committed_position },
      committed_position < tape.end
        ? 'Stopped; the rest of the tape is committed at the next start.'
        : 'Stopped; everything on the tape is committed.',
    )
    await tape.close()
  }

  #release(): void {
    const { tape, writer } = this.#parts
    const { has_resumed, committed_position } = writer.status()
    if (has_resumed) tape.release(committed_position, Date.now())
  }
}
