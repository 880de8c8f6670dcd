/**
 * The parts of a recorder and how they are connected. This thread takes frames from the sockets,
 * stamps them and appends them to the tape, and does nothing else with them; the writer's thread
 * follows the tape into Postgres. recorder.ts decides when the parts start and stop.
 */
import { join } from 'node:path'
import type { Logger } from '#core/node/log.ts'
import type { SnapshotQueue } from './books/snapshot-queue.ts'
import { createSnapshots } from './books/snapshots.ts'
import { type CommitMeter, createCommitMeter } from './commit-meter.ts'
import type { IngestorConfig } from './config.ts'
import type { ExchangeAdapter, StreamChoice } from './exchanges/adapter.ts'
import { adapterFor } from './exchanges/registry.ts'
import { createListening, type Listening } from './listening.ts'
import { readListing } from './listing.ts'
import { type ListingWatch, watchListing } from './listing-watch.ts'
import { createSteering, type Steering, type SteeringOptions } from './steering.ts'
import { type Mark, namesOf } from './tape/record.ts'
import type { Tape } from './tape/tape.ts'
import { openTape } from './tape/writer.ts'
import { createTapeIntake, RECORD_BYTES_MAX, type TapeIntake } from './tape-intake.ts'
import { createTradeRepair, type TradeRepair } from './trade-repair.ts'
import { type Clock, createClock } from './transport/clock.ts'
import { exchangeRest, type RestClient } from './transport/rest-client.ts'
import { patientSettings } from './transport/settings.ts'
import { systemTimers } from './transport/timers.ts'
import { createTransport, type TransportOptions } from './transport/transport.ts'
import type { FollowCounts } from './writer/counts.ts'
import { createSharedTapeEnd } from './writer/tape-end.ts'
import { startWriterThread, type WriterThread } from './writer/thread.ts'

/** Steps of the system's clock since the start. */
export interface ClockSteps {
  readonly step_count: number
  readonly last_step_ms: number | null
}

/** The first choice of what to record: the environment's, or one kept from an earlier run. */
export type FirstChoice = Pick<SteeringOptions, 'wanted' | 'is_kept' | 'is_steered'>

export interface RecorderParts {
  readonly adapter: ExchangeAdapter
  readonly clock: Clock
  readonly tape: Tape
  readonly intake: TapeIntake
  readonly writer: WriterThread
  readonly rest: RestClient
  readonly snapshots: SnapshotQueue
  readonly listening: Listening
  readonly repair: TradeRepair
  readonly steering: Steering
  readonly commits: CommitMeter
  clockSteps(): ClockSteps
  /** Call once: reads the listing at intervals and after announcements from now on. */
  watchListing(): ListingWatch
  /** Settles when everything that is on the tape now is committed, with the counts so far. */
  drain(): Promise<FollowCounts>
}

const MICROS_PER_SECOND = 1_000_000

/** Opens the tape and starts the writer. No socket is open before `steering.begin`. */
export function composeRecorder(
  config: IngestorConfig,
  first: FirstChoice,
  log: Logger,
): RecorderParts {
  const { database_url, ingestor_id } = config
  const adapter = adapterFor(config.exchange, config.time_unit)
  /** The tape may hold any channel: chosen now, later, or in another run. */
  const every_channel: StreamChoice = { ...config.choice, channels: adapter.channels }
  const commits = createCommitMeter()
  let clock_steps: ClockSteps = { step_count: 0, last_step_ms: null }
  const clock = createClock({
    onStep: (step_ms) => {
      clock_steps = { step_count: clock_steps.step_count + 1, last_step_ms: step_ms }
      const message = "The system's clock was set; receive times follow it."
      log.warn({ code: 'clock_step', step_ms }, message)
    },
  })
  // Socket numbers are unique over all runs on a tape, because fewer than one a second is opened.
  let next_connection = Math.floor(clock.now() / MICROS_PER_SECOND)
  const nextConnection = (): number => next_connection++

  const end = createSharedTapeEnd()
  const tape = openTape({
    ...config.tape,
    record_bytes_max: RECORD_BYTES_MAX,
    log,
    onEnd: end.publish,
    onFull: (full) => {
      if (full !== undefined) return listening.hold('tape_full')
      intake.writeWaiting()
      listening.release('tape_full')
    },
  })
  end.publish(tape.end)
  const intake = createTapeIntake(tape, adapter.tape_code, clock, log)
  const takeMark = (mark: Mark): void => intake.takeMark(mark)
  const append: TapeIntake['takeAnswer'] = (answer) => intake.takeAnswer(answer)
  const onFrame: TransportOptions['onFrame'] = (connection, _stream, frame, ts_ingest) =>
    intake.takeFrame(connection, frame, ts_ingest)

  const writer = startWriterThread(
    {
      database_url,
      ingestor_id,
      tape_dir: config.tape.dir,
      tape_end: end.memory,
      choice: every_channel,
      limits: config.batch,
      dead_letter_path: join(config.tape.dir, 'dead-letters.ndjson'),
      log_level: config.log_level,
    },
    {
      onWanted: (_exchange, symbol) => snapshots.want(symbol),
      onCommits: (commit) => commits.note(commit),
    },
  )
  const drain = async (): Promise<FollowCounts> => {
    tape.flush()
    const { counts } = await writer.committed(tape.end)
    return counts
  }

  const rest = exchangeRest(adapter, config, clock, log)
  const snapshots = createSnapshots({
    adapter,
    choice: every_channel,
    config,
    rest,
    clock,
    log,
    heardStreams: () => listening.status().streams.filter((stream) => stream.is_covered),
    nextConnection,
    noteAsked: (symbol) => writer.noteAsked(adapter.exchange, symbol),
    onFrame,
    append,
  })

  /** These streams are lost until their next frame. The tape and repair must know. */
  const markLost = (mark: Extract<Mark, { kind: 'started' | 'deaf' }>): void => {
    takeMark(mark)
    repair.noteLost(mark.streams, tape.end)
  }
  const listening = createListening({
    createTransport: (symbols, choice) =>
      createTransport({
        adapter,
        ws_url: config.ws_url,
        symbols,
        choice,
        nextConnection,
        onFrame,
        mayRest: (symbol) => steering.mayRest(symbol),
        onLost: (cause, streams, heard_until, carried_by) =>
          markLost({ kind: 'deaf', cause, heard_until, carried_by, streams: namesOf(streams) }),
        onCarried: (connection, streams) =>
          takeMark({ kind: 'carried', connection, streams: namesOf(streams) }),
        onHeard: (connection, streams) =>
          takeMark({ kind: 'heard', connection, streams: namesOf(streams) }),
        onListingChanged: () => listing_watch?.noteNews(),
        log,
        settings: patientSettings(config.patience_factor),
        clock,
      }),
    markLost,
    takeMark,
  })
  const repair = createTradeRepair({
    database_url,
    ingestor_id,
    adapter,
    choice: every_channel,
    rest,
    listening,
    append,
    takeMark,
    committed: drain,
    committedPosition: () => writer.status().committed_position,
    clock: () => clock.now(),
    random: Math.random,
    log,
  })
  const steering = createSteering({
    ...first,
    config,
    adapter,
    rest,
    listening,
    snapshots,
    log,
    onChosen: (symbols, choice) => repair.take(symbols, choice),
  })

  let listing_watch: ListingWatch | undefined
  const startListingWatch = (): ListingWatch => {
    listing_watch = watchListing({
      interval_ms: config.listing_interval_s * 1_000,
      timers: systemTimers,
      log,
      read: async () => {
        const listing = await readListing(rest, adapter)
        intake.takeAnswer(listing.answer)
        steering.takeListing(listing)
      },
    })
    return listing_watch
  }
  return {
    adapter,
    clock,
    tape,
    intake,
    writer,
    rest,
    snapshots,
    listening,
    repair,
    steering,
    commits,
    clockSteps: () => clock_steps,
    watchListing: startListingWatch,
    drain,
  }
}
