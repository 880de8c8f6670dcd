/**
 * A running ingestor: sockets, tape and writer put together. This thread takes frames from the
 * sockets, stamps them and appends them to the tape, and does nothing else with them; the
 * writer's thread follows the tape into Postgres.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { join } from 'node:path'
import { OperatorError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import type { Micros } from '#core/time.ts'
import type { IngestorConfig } from './config.ts'
import type { ExchangeAdapter, LeftOut, StreamChoice } from './exchanges/adapter.ts'
import { adapterFor } from './exchanges/registry.ts'
import { type Heartbeat, startHeartbeat } from './heartbeat.ts'
import {
  chooseAgain,
  chooseDepth,
  chooseSymbols,
  fetchListing,
  readListing,
  restingSymbols,
} from './listing.ts'
import { type ListingWatch, watchListing } from './listing-watch.ts'
import type { SnapshotQueue } from './books/snapshot-queue.ts'
import { createSnapshots } from './books/snapshots.ts'
import { type Repairer, startRepairer } from './repair/repairer.ts'
import { ingestorState, type IngestorStatus, openHolesStatus } from './status.ts'
import type { Mark, RecordKind, StreamName } from './tape/record.ts'
import type { Tape } from './tape/tape.ts'
import { openTape } from './tape/writer.ts'
import { type Clock, createClock } from './transport/clock.ts'
import { createRestClient, type RestAnswer, type RestClient } from './transport/rest-client.ts'
import { systemTimers } from './transport/timers.ts'
import { createTransport, type Transport } from './transport/transport.ts'
import { type FollowCounts, sumOf } from './writer/counts.ts'
import { createSharedTapeEnd } from './writer/tape-end.ts'
import { startWriterThread, type WriterThread } from './writer/thread.ts'

export interface Recorder {
  /** Rejects when recording cannot go on. */
  readonly failed: Promise<never>
  /** Settles when every subscription was acknowledged. `signal` ends the wait for that. */
  start(signal: AbortSignal): Promise<void>
  status(): IngestorStatus
  /** Settles when everything that is on the tape now is committed, with the counts so far. */
  drain(): Promise<FollowCounts>
  /** Closes the sockets, commits what is on the tape if that can be done soon, and ends. */
  stop(): Promise<void>
}

/** Longest record: the listing of a big exchange has some megabytes. */
const RECORD_BYTES_MAX = 8 * 1024 * 1024
const RELEASE_MS = 2_000
const ROOM_POLL_MS = 200
/** What is not committed by then waits on the tape for the next start. */
const STOP_COMMIT_MS = 10_000
const MICROS_PER_MS = 1_000
/** Instruments that one line of the log names with their reasons. */
const LEFT_OUT_TOLD_MAX = 20

/** Opens the tape and starts the writer; nothing listens before `start`. */
export function createRecorder(config: IngestorConfig, log: Logger): Recorder {
  return new TapeRecorder(config, log)
}

class TapeRecorder implements Recorder {
  readonly failed: Promise<never>
  readonly #config: IngestorConfig
  readonly #log: Logger
  readonly #adapter: ExchangeAdapter
  /** Of what was asked for, that which the exchange has. */
  readonly #choice: StreamChoice
  readonly #clock: Clock
  readonly #tape: Tape
  readonly #writer: WriterThread
  readonly #rest: RestClient
  readonly #snapshots: SnapshotQueue
  /** Numbers of sockets are unique over all lives of the tape: fewer than one a second is opened. */
  #next_connection: number
  readonly #releaser: NodeJS.Timeout
  #transport: Transport | undefined
  #repairer: Repairer | undefined
  #listing_watch: ListingWatch | undefined
  #heartbeat: Heartbeat | undefined
  #symbols: readonly string[] = []
  /** Of the newest listing. */
  #left_out: readonly LeftOut[] = []
  /** Symbols whose market has sessions. */
  #resting: ReadonlySet<string> = new Set()
  #frames_received = 0
  #rate = { frames: 0, at_ms: performance.now(), per_s: 0 }

  constructor(config: IngestorConfig, log: Logger) {
    this.#config = config
    this.#log = log
    this.#adapter = adapterFor(config.exchange, config.time_unit)
    this.#choice = availableChoice(config.choice, this.#adapter)
    this.#clock = createClock({
      onStep: (step_ms) =>
        log.warn({ code: 'clock_step', step_ms }, "The system's clock was set; receive times follow it."),
    })
    this.#next_connection = Math.floor(this.#clock.now() / (1_000 * MICROS_PER_MS))
    const end = createSharedTapeEnd()
    this.#tape = openTape({
      ...config.tape,
      record_bytes_max: RECORD_BYTES_MAX,
      log,
      onEnd: end.publish,
      onFull: (full) => {
        if (full === undefined) this.#transport?.resume()
        else this.#transport?.pause('tape_full')
      },
    })
    end.publish(this.#tape.end)
    this.#writer = startWriterThread(
      {
        database_url: config.database_url,
        ingestor_id: config.ingestor_id,
        tape_dir: config.tape.dir,
        tape_end: end.memory,
        choice: this.#choice,
        limits: config.batch,
        dead_letter_path: join(config.tape.dir, 'dead-letters.ndjson'),
        log_level: config.log_level,
      },
      (_exchange, symbol) => this.#snapshots.want(symbol),
    )
    this.#rest = createRestClient({
      base_url: config.rest_url,
      limits: {
        ...this.#adapter.rest_limits,
        weight_per_minute_max:
          config.rest_weight_per_minute ?? this.#adapter.rest_limits.weight_per_minute_max,
      },
      log,
    })
    this.#snapshots = createSnapshots({
      adapter: this.#adapter,
      choice: this.#choice,
      config,
      rest: this.#rest,
      clock: this.#clock,
      log,
      heardStreams: () =>
        (this.#transport?.status().streams ?? []).filter((stream) => stream.is_covered),
      nextConnection: () => this.#next_connection++,
      noteAsked: (symbol) => this.#writer.noteAsked(this.#adapter.exchange, symbol),
      onFrame: (connection, _stream, frame, ts_ingest) =>
        this.#takeFrame(connection, frame, ts_ingest),
      append: (answer) => this.#appendAnswer(answer),
    })
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
    // A schema that is missing is told now, not after an hour of recording.
    await this.#writer.tried
    // Full from the last run: the writer frees it first.
    while (this.#tape.full !== undefined) await sleep(ROOM_POLL_MS, undefined, { signal })
    const listing = await fetchListing(this.#rest, this.#adapter, this.#log, signal)
    signal.throwIfAborted()
    this.#appendAnswer(listing.answer)
    const symbols = chooseSymbols(this.#config, listing)
    this.#symbols = symbols
    this.#resting = restingSymbols(listing.instruments)
    this.#noteLeftOut(listing.left_out)
    const transport = this.#createTransport(symbols, await this.#chooseStreams(symbols, signal))
    this.#transport = transport
    if (this.#canRepair()) this.#repairer = this.#startRepairer(symbols)
    this.#listing_watch = this.#watchListing()
    const { streams } = transport.status()
    this.#markUnheard({ kind: 'started', is_whole: true, streams: namesOf(streams) })
    this.#heartbeat = startHeartbeat(
      () => this.#frames_received,
      () => this.#appendMark({ kind: 'alive' }),
    )
    const ready = transport.start()
    // The tape may have filled up while there was no transport that could be paused.
    if (this.#tape.full !== undefined) transport.pause('tape_full')
    await ready
    this.#snapshots.start()
    this.#log.info({ symbol_count: symbols.length }, 'Every subscription was acknowledged.')
  }

  status(): IngestorStatus {
    const writer = this.#writer.status()
    const { counts } = writer
    const has_backlog = writer.committed_position < this.#tape.end
    // While Postgres is away and nothing came meanwhile, nothing waits.
    const lag_ms = has_backlog || !writer.database_away ? writer.lag_ms : 0
    return {
      state: ingestorState({
        tape_full: this.#tape.full !== undefined,
        database_away: writer.database_away,
        lag_ms,
      }),
      frames_received: this.#frames_received,
      frames_per_s: this.#framesPerSecond(),
      tape_end: this.#tape.end,
      committed_position: writer.committed_position,
      ...this.#writer.books(),
      rows_committed: counts.rows,
      duplicates: counts.duplicates,
      conflicts: counts.conflicts,
      ignored: sumOf(counts.ignored),
      rejected: sumOf(counts.rejected) + sumOf(counts.rejected_elements),
      dead_letters: counts.dead_letters,
      instruments_left_out: this.#left_out.length,
      gaps: counts.gaps,
      gaps_open: this.#repairer?.counts().gaps_open ?? 0,
      gaps_repaired: this.#repairer?.counts().gaps_repaired ?? 0,
      ...openHolesStatus(writer.open_holes, this.#clock.now()),
      lag_ms,
    }
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
    await Promise.all([this.#transport?.stop(), this.#repairer?.stop()])
    this.#tape.flush()
    if (!this.#writer.status().database_away) await this.#commitSoon()
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

  async #commitSoon(): Promise<void> {
    const enough = new AbortController()
    const { signal } = enough
    const committed = this.#writer.committed(this.#tape.end).catch(() => undefined)
    await Promise.race([
      committed,
      sleep(STOP_COMMIT_MS, undefined, { signal }).catch(() => undefined),
    ])
    enough.abort()
  }

  async #chooseStreams(symbols: readonly string[], signal: AbortSignal): Promise<StreamChoice> {
    const choice = this.#choice
    if (choice.depth === undefined || !choice.channels.includes('depth_events')) return choice
    const wanted = this.#config.depth_symbols
    const whose = await chooseDepth(wanted, symbols, this.#rest, this.#adapter, this.#log, signal)
    signal.throwIfAborted()
    return { ...choice, depth: { ...choice.depth, symbols: whose } }
  }

  #watchListing(): ListingWatch {
    return watchListing({
      interval_ms: this.#config.listing_interval_s * 1_000,
      timers: systemTimers,
      log: this.#log,
      read: async () => {
        const { answer, instruments, left_out } = await readListing(this.#rest, this.#adapter)
        this.#appendAnswer(answer)
        this.#noteLeftOut(left_out)
        this.#resting = restingSymbols(instruments)
        this.#setSymbols(chooseAgain(this.#config, instruments, this.#symbols))
      },
    })
  }

  /** Told once, and again where there are others. */
  #noteLeftOut(left_out: readonly LeftOut[]): void {
    const before = this.#left_out.map(({ name }) => name).join()
    this.#left_out = left_out
    if (left_out.length === 0 || left_out.map(({ name }) => name).join() === before) return
    this.#log.warn(
      { code: 'instruments_left_out', count: left_out.length, first: left_out.slice(0, LEFT_OUT_TOLD_MAX) },
      'The exchange lists instruments that cannot be recorded.',
    )
  }

  #setSymbols(symbols: readonly string[]): void {
    const transport = this.#transport
    const added = symbols.filter((symbol) => !this.#symbols.includes(symbol))
    const removed = this.#symbols.filter((symbol) => !symbols.includes(symbol))
    if (transport === undefined || (added.length === 0 && removed.length === 0)) return
    this.#symbols = symbols
    const gone = transport.status().streams.filter(({ symbol }) => removed.includes(symbol))
    transport.setSymbols(symbols)
    if (gone.length > 0) this.#appendMark({ kind: 'ended', streams: namesOf(gone) })
    this.#repairer?.setSymbols(symbols)
    this.#snapshots.forget(removed)
    const { streams } = transport.status()
    const fresh = streams.filter(({ symbol }) => added.includes(symbol))
    if (fresh.length > 0) this.#markUnheard({ kind: 'started', streams: namesOf(fresh) })
    this.#log.info({ added, removed }, 'The listing changed; these symbols come and go.')
  }

  #createTransport(symbols: readonly string[], choice: StreamChoice): Transport {
    return createTransport({
      adapter: this.#adapter,
      ws_url: this.#config.ws_url,
      symbols,
      choice,
      nextConnection: () => this.#next_connection++,
      onFrame: (connection, _stream, frame, ts_ingest) =>
        this.#takeFrame(connection, frame, ts_ingest),
      mayRest: (symbol) => this.#resting.has(symbol),
      onDeaf: (cause, streams, heard_until, carried_by) =>
        this.#markUnheard({ kind: 'deaf', cause, heard_until, carried_by, streams: namesOf(streams) }),
      onCarried: (connection, streams) =>
        this.#appendMark({ kind: 'carried', connection, streams: namesOf(streams) }),
      onHeard: (streams) => this.#appendMark({ kind: 'heard', streams: namesOf(streams) }),
      onListingChanged: () => this.#listing_watch?.noteNews(),
      log: this.#log,
      clock: this.#clock,
    })
  }

  #startRepairer(symbols: readonly string[]): Repairer {
    const { database_url, ingestor_id } = this.#config
    return startRepairer({
      database_url,
      ingestor_id,
      adapter: this.#adapter,
      choice: this.#choice,
      symbols,
      rest: this.#rest,
      append: (answer) => this.#appendAnswer(answer),
      committed: () => this.drain(),
      committedPosition: () => this.#writer.status().committed_position,
      coveredSymbols: () => {
        const streams = this.#transport?.status().streams ?? []
        return tradeSymbols(streams.filter((stream) => stream.is_covered))
      },
      clock: () => this.#clock.now(),
      random: Math.random,
      log: this.#log,
    })
  }

  #takeFrame(connection: number, frame: Buffer, ts_ingest: Micros): void {
    this.#frames_received++
    this.#append('frame', connection, ts_ingest, frame)
  }

  #canRepair(): boolean {
    return this.#choice.channels.includes('trades') && this.#adapter.trade_ids !== 'loose'
  }

  #appendAnswer({ path, body, ts_ingest }: RestAnswer): boolean {
    return this.#append('rest', 0, ts_ingest, Buffer.from(`${path}\n${body}`))
  }

  /** True where the tape has taken it. */
  #append(kind: RecordKind, connection: number, ts_ingest: Micros, payload: Buffer): boolean {
    const taken = this.#tape.append(kind, this.#adapter.tape_code, connection, ts_ingest, payload)
    // 'full' is told by onFull, once. The transport lets no frame through that is too large.
    if (taken !== 'too_large') return taken !== 'full'
    this.#log.error(
      { code: 'record_too_large', kind, bytes: payload.length, bytes_max: RECORD_BYTES_MAX },
      'A record is too large for the tape; it is lost.',
    )
    return false
  }

  /** These streams are not heard before their next frame: the tape and repair have to know. */
  #markUnheard(mark: Extract<Mark, { kind: 'started' | 'deaf' }>): void {
    this.#appendMark(mark)
    this.#repairer?.noteDeaf(tradeSymbols(mark.streams), this.#tape.end)
  }

  #appendMark(mark: Mark): void {
    this.#append('mark', 0, this.#clock.now(), Buffer.from(JSON.stringify(mark)))
    this.#tape.flush()
  }

  #release(): void {
    const { has_resumed, committed_position } = this.#writer.status()
    if (has_resumed) this.#tape.release(committed_position, Date.now())
  }

  #framesPerSecond(): number {
    const now_ms = performance.now()
    const { frames, at_ms } = this.#rate
    if (now_ms - at_ms >= 500) {
      const per_s = Math.round(((this.#frames_received - frames) * 1_000) / (now_ms - at_ms))
      this.#rate = { frames: this.#frames_received, at_ms: now_ms, per_s }
    }
    return this.#rate.per_s
  }
}

/** Each once: changes of a book and partial books are two streams of one name. */
function namesOf(streams: readonly StreamName[]): readonly StreamName[] {
  const names = streams.map(({ symbol, channel }) => ({ symbol, channel }))
  return [...new Map(names.map((name) => [`${name.channel} ${name.symbol}`, name])).values()]
}

function availableChoice(choice: StreamChoice, adapter: ExchangeAdapter): StreamChoice {
  const channels = choice.channels.filter((channel) => adapter.channels.includes(channel))
  if (channels.length > 0) return { ...choice, channels }
  throw new OperatorError(
    'no_channels',
    `${adapter.exchange} has none of the channels ${choice.channels.join(', ')}.`,
    { hint: `Set CHANNELS to some of ${adapter.channels.join(', ')}.` },
  )
}

function tradeSymbols(streams: readonly StreamName[]): readonly string[] {
  return streams.filter((stream) => stream.channel === 'trades').map((stream) => stream.symbol)
}
