/**
 * A running ingestor: sockets, tape and writer put together. This thread takes frames from the
 * sockets, stamps them and appends them to the tape, and does nothing else with them; the
 * writer's thread follows the tape into Postgres.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { join } from 'node:path'
import type { Logger } from '#core/node/log.ts'
import type { SnapshotQueue } from './books/snapshot-queue.ts'
import { createSnapshots } from './books/snapshots.ts'
import { type CommitMeter, createCommitMeter } from './commit-meter.ts'
import type { IngestorConfig } from './config.ts'
import type { ExchangeAdapter, StreamChoice } from './exchanges/adapter.ts'
import { adapterFor } from './exchanges/registry.ts'
import { type Heartbeat, startHeartbeat } from './heartbeat.ts'
import { createListening, type Hold, type Listening } from './listening.ts'
import type { VitalSigns } from './liveness.ts'
import { fetchListing, readListing } from './listing.ts'
import { type ListingWatch, watchListing } from './listing-watch.ts'
import { type IngestorStatus, ingestorStatus } from './status.ts'
import { createSteering, type Steering, type SteeringOptions } from './steering.ts'
import { type Mark, namesOf } from './tape/record.ts'
import type { Tape, TapeStatus } from './tape/tape.ts'
import { openTape } from './tape/writer.ts'
import { createTapeIntake, RECORD_BYTES_MAX, type TapeIntake } from './tape-intake.ts'
import { createTradeRepair, type TradeRepair } from './trade-repair.ts'
import { type Clock, createClock } from './transport/clock.ts'
import { exchangeRest, type RestClient } from './transport/rest-client.ts'
import { patientSettings } from './transport/settings.ts'
import { systemTimers } from './transport/timers.ts'
import { createTransport, type Transport, type TransportStatus } from './transport/transport.ts'
import type { FollowCounts } from './writer/counts.ts'
import { createSharedTapeEnd } from './writer/tape-end.ts'
import type { StreamReport } from './writer/stream-report.ts'
import { startWriterThread, type ThreadUsage, type WriterThread } from './writer/thread.ts'

/** What nobody but the admin API asks for. */
export interface RecorderFacts {
  readonly tape: TapeStatus
  readonly transport: TransportStatus
  readonly holds: readonly Hold[]
  readonly database_away: boolean
  /** Steps of the system's clock since the start. */
  readonly clock: { readonly step_count: number; readonly last_step_ms: number | null }
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
  /** What the writer knows of each stream. */
  streams(): Promise<readonly StreamReport[]>
  /** Settles when everything that is on the tape now is committed, with the counts so far. */
  drain(): Promise<FollowCounts>
  /** Closes the sockets, commits what is on the tape if that can be done soon, and ends. */
  stop(): Promise<void>
}

const RELEASE_MS = 2_000
const ROOM_POLL_MS = 200
/** What is not committed by then waits on the tape for the next start. */
const STOP_COMMIT_MS = 10_000
const MICROS_PER_MS = 1_000

/**
 * What is recorded at first: as the environment has it, or as it was asked for in an earlier run.
 */
export type Asked = Pick<SteeringOptions, 'wanted' | 'is_kept' | 'is_steered'>

/** Opens the tape and starts the writer; nothing listens before `start`. */
export function createRecorder(config: IngestorConfig, asked: Asked, log: Logger): Recorder {
  return new TapeRecorder(config, asked, log)
}

class TapeRecorder implements Recorder {
  readonly failed: Promise<never>
  readonly #config: IngestorConfig
  readonly #log: Logger
  readonly #adapter: ExchangeAdapter
  /** By which the tape is read: whatever is chosen now or later, or was in another run. */
  readonly #every_channel: StreamChoice
  readonly #clock: Clock
  readonly #tape: Tape
  readonly #intake: TapeIntake
  readonly #writer: WriterThread
  readonly #rest: RestClient
  readonly #snapshots: SnapshotQueue
  readonly #listening: Listening
  readonly #repair: TradeRepair
  readonly steering: Steering
  readonly commits = createCommitMeter()
  #clock_steps: RecorderFacts['clock'] = { step_count: 0, last_step_ms: null }
  /**
   * Numbers of sockets are unique over all lives of the tape: fewer than one a second is opened.
   */
  #next_connection: number
  readonly #releaser: NodeJS.Timeout
  #listing_watch: ListingWatch | undefined
  #heartbeat: Heartbeat | undefined

  constructor(config: IngestorConfig, asked: Asked, log: Logger) {
    this.#config = config
    this.#log = log
    this.#adapter = adapterFor(config.exchange, config.time_unit)
    this.#every_channel = { ...config.choice, channels: this.#adapter.channels }
    this.#clock = createClock({
      onStep: (step_ms) => {
        const step_count = this.#clock_steps.step_count + 1
        this.#clock_steps = { step_count, last_step_ms: step_ms }
        log.warn(
          { code: 'clock_step', step_ms },
          "The system's clock was set; receive times follow it.",
        )
      },
    })
    this.#next_connection = Math.floor(this.#clock.now() / (1_000 * MICROS_PER_MS))
    const end = createSharedTapeEnd()
    this.#tape = openTape({
      ...config.tape,
      record_bytes_max: RECORD_BYTES_MAX,
      log,
      onEnd: end.publish,
      onFull: (full) => {
        if (full !== undefined) return this.#listening.hold('tape_full')
        this.#intake.writeWaiting()
        this.#listening.release('tape_full')
      },
    })
    end.publish(this.#tape.end)
    this.#intake = createTapeIntake(this.#tape, this.#adapter.tape_code, this.#clock, log)
    this.#writer = startWriterThread(
      {
        database_url: config.database_url,
        ingestor_id: config.ingestor_id,
        tape_dir: config.tape.dir,
        tape_end: end.memory,
        choice: this.#every_channel,
        limits: config.batch,
        dead_letter_path: join(config.tape.dir, 'dead-letters.ndjson'),
        log_level: config.log_level,
      },
      {
        onWanted: (_exchange, symbol) => this.#snapshots.want(symbol),
        onCommits: (commits) => this.commits.note(commits),
      },
    )
    this.#rest = exchangeRest(this.#adapter, config, log)
    this.#snapshots = createSnapshots({
      adapter: this.#adapter,
      choice: this.#every_channel,
      config,
      rest: this.#rest,
      clock: this.#clock,
      log,
      heardStreams: () => this.#listening.status().streams.filter((stream) => stream.is_covered),
      nextConnection: () => this.#next_connection++,
      noteAsked: (symbol) => this.#writer.noteAsked(this.#adapter.exchange, symbol),
      onFrame: (connection, _stream, frame, ts_ingest) =>
        this.#intake.takeFrame(connection, frame, ts_ingest),
      append: (answer) => this.#intake.takeAnswer(answer),
    })
    this.#listening = createListening({
      createTransport: (symbols, choice) => this.#createTransport(symbols, choice),
      markLost: (mark) => this.#markLost(mark),
      takeMark: (mark) => this.#intake.takeMark(mark),
    })
    this.#repair = createTradeRepair({
      database_url: config.database_url,
      ingestor_id: config.ingestor_id,
      adapter: this.#adapter,
      choice: this.#every_channel,
      rest: this.#rest,
      listening: this.#listening,
      append: (answer) => this.#intake.takeAnswer(answer),
      takeMark: (mark) => this.#intake.takeMark(mark),
      committed: () => this.drain(),
      committedPosition: () => this.#writer.status().committed_position,
      clock: () => this.#clock.now(),
      random: Math.random,
      log,
    })
    this.steering = createSteering({
      ...asked,
      config,
      adapter: this.#adapter,
      rest: this.#rest,
      listening: this.#listening,
      snapshots: this.#snapshots,
      log,
      onChosen: (symbols, choice) => this.#repair.take(symbols, choice),
    })
    if (this.#tape.full !== undefined) this.#listening.hold('tape_full')
    this.#releaser = setInterval(() => this.#release(), RELEASE_MS)
    this.failed = this.#writer.ended.then(() => new Promise<never>(() => undefined))
    this.failed.catch(() => undefined)
  }

  async start(signal: AbortSignal): Promise<void> {
    const aborted = new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    })
    await Promise.race([this.#begin(signal), this.failed, aborted])
  }

  async #begin(signal: AbortSignal): Promise<void> {
    // A missing schema is reported now, not after an hour of recording.
    await this.#writer.tried
    // Full from the last run: the writer frees it first.
    while (this.#tape.full !== undefined) await sleep(ROOM_POLL_MS, undefined, { signal })
    const listing = await fetchListing(this.#rest, this.#adapter, this.#log, signal)
    signal.throwIfAborted()
    this.#intake.takeAnswer(listing.answer)
    const ready = this.steering.begin(listing, signal)
    this.#listing_watch = this.#watchListing()
    this.#heartbeat = startHeartbeat(
      () => this.#intake.frames_received,
      () => this.#intake.takeMark({ kind: 'alive' }),
    )
    await ready
    this.#snapshots.start()
    const symbol_count = this.steering.names.length
    this.#log.info({ symbol_count }, 'Every subscription was acknowledged.')
  }

  status(): IngestorStatus {
    return ingestorStatus({
      tape: this.#tape,
      writer: this.#writer.status(),
      books: this.#writer.books(),
      frames_received: this.#intake.frames_received,
      frames_per_s: this.#intake.framesPerSecond(),
      instruments_left_out: this.steering.left_out_count,
      is_paused: this.#listening.holds.has('operator'),
      repairs: this.#repair.counts(),
      now: this.#clock.now(),
    })
  }

  facts(): RecorderFacts {
    return {
      tape: this.#tape.status(),
      transport: this.#listening.status(),
      holds: [...this.#listening.holds],
      database_away: this.#writer.status().database_away,
      clock: this.#clock_steps,
    }
  }

  vitalSigns(): VitalSigns {
    const { database_away, committed_position } = this.#writer.status()
    const writer_heard_ms = this.#writer.heardAt()
    return { writer_heard_ms, database_away, committed_position, tape_end: this.#tape.end }
  }

  writerUsage(): Promise<ThreadUsage> {
    return this.#writer.usage()
  }

  streams(): Promise<readonly StreamReport[]> {
    return this.#writer.streams()
  }

  async drain(): Promise<FollowCounts> {
    this.#tape.flush()
    const { counts } = await this.#writer.committed(this.#tape.end)
    return counts
  }

  async stop(): Promise<void> {
    clearInterval(this.#releaser)
    this.#heartbeat?.stop()
    this.#listing_watch?.stop()
    this.#snapshots.stop()
    this.#rest.stop()
    await Promise.all([this.#listening.stop(), this.#repair.stop()])
    this.#tape.flush()
    if (!this.#writer.status().database_away) {
      await this.#writer.committedSoon(this.#tape.end, STOP_COMMIT_MS)
    }
    await this.#writer.stop()
    const { committed_position } = this.#writer.status()
    this.#log.info(
      { tape_end: this.#tape.end, committed_position },
      committed_position < this.#tape.end
        ? 'Stopped; the rest of the tape is committed at the next start.'
        : 'Stopped; everything on the tape is committed.',
    )
    await this.#tape.close()
  }

  #watchListing(): ListingWatch {
    return watchListing({
      interval_ms: this.#config.listing_interval_s * 1_000,
      timers: systemTimers,
      log: this.#log,
      read: async () => {
        const listing = await readListing(this.#rest, this.#adapter)
        this.#intake.takeAnswer(listing.answer)
        this.steering.takeListing(listing)
      },
    })
  }

  #createTransport(symbols: readonly string[], choice: StreamChoice): Transport {
    return createTransport({
      adapter: this.#adapter,
      ws_url: this.#config.ws_url,
      symbols,
      choice,
      nextConnection: () => this.#next_connection++,
      onFrame: (connection, _stream, frame, ts_ingest) =>
        this.#intake.takeFrame(connection, frame, ts_ingest),
      mayRest: (symbol) => this.steering.mayRest(symbol),
      onLost: (cause, streams, heard_until, carried_by) =>
        this.#markLost({ kind: 'deaf', cause, heard_until, carried_by, streams: namesOf(streams) }),
      onCarried: (connection, streams) =>
        this.#intake.takeMark({ kind: 'carried', connection, streams: namesOf(streams) }),
      onHeard: (connection, streams) =>
        this.#intake.takeMark({ kind: 'heard', connection, streams: namesOf(streams) }),
      onListingChanged: () => this.#listing_watch?.noteNews(),
      log: this.#log,
      settings: patientSettings(this.#config.patience_factor),
      clock: this.#clock,
    })
  }

  /** These streams are not heard before their next frame: the tape and repair have to know. */
  #markLost(mark: Extract<Mark, { kind: 'started' | 'deaf' }>): void {
    this.#intake.takeMark(mark)
    this.#repair.noteLost(mark.streams, this.#tape.end)
  }

  #release(): void {
    const { has_resumed, committed_position } = this.#writer.status()
    if (has_resumed) this.#tape.release(committed_position, Date.now())
  }
}
