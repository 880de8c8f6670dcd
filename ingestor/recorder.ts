/**
 * A running ingestor: sockets, tape and writer put together. This thread takes frames from the
 * sockets, stamps them and appends them to the tape, and does nothing else with them; the
 * writer's thread follows the tape into Postgres.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { join } from 'node:path'
import type { GapCause } from '#core/market.ts'
import type { Logger } from '#core/node/log.ts'
import type { Micros } from '#core/time.ts'
import type { IngestorConfig } from './config.ts'
import type { ExchangeAdapter } from './exchanges/adapter.ts'
import { adapterFor } from './exchanges/registry.ts'
import { chooseSymbols, fetchListing } from './listing.ts'
import { type Repairer, startRepairer } from './repair/repairer.ts'
import { ingestorState, type IngestorStatus } from './status.ts'
import type { Mark, RecordKind, StreamName } from './tape/record.ts'
import type { Tape } from './tape/tape.ts'
import { openTape } from './tape/writer.ts'
import { type Clock, createClock } from './transport/clock.ts'
import { createRestClient, type RestAnswer, type RestClient } from './transport/rest-client.ts'
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

/** Opens the tape and starts the writer; nothing listens before `start`. */
export function createRecorder(config: IngestorConfig, log: Logger): Recorder {
  return new TapeRecorder(config, log)
}

class TapeRecorder implements Recorder {
  readonly failed: Promise<never>
  readonly #config: IngestorConfig
  readonly #log: Logger
  readonly #adapter: ExchangeAdapter
  readonly #clock: Clock
  readonly #tape: Tape
  readonly #writer: WriterThread
  readonly #rest: RestClient
  readonly #releaser: NodeJS.Timeout
  #transport: Transport | undefined
  #repairer: Repairer | undefined
  #frames_received = 0
  #rate = { frames: 0, at_ms: performance.now(), per_s: 0 }

  constructor(config: IngestorConfig, log: Logger) {
    this.#config = config
    this.#log = log
    this.#adapter = adapterFor(config.exchange)
    this.#clock = createClock({
      onStep: (step_ms) =>
        log.warn({ code: 'clock_step', step_ms }, "The system's clock was set; receive times follow it."),
    })
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
    this.#writer = startWriterThread({
      database_url: config.database_url,
      ingestor_id: config.ingestor_id,
      tape_dir: config.tape.dir,
      tape_end: end.memory,
      choice: config.choice,
      limits: config.batch,
      dead_letter_path: join(config.tape.dir, 'dead-letters.ndjson'),
      log_level: config.log_level,
    })
    this.#rest = createRestClient({
      base_url: config.rest_url,
      limits: {
        ...this.#adapter.rest_limits,
        weight_per_minute_max:
          config.rest_weight_per_minute ?? this.#adapter.rest_limits.weight_per_minute_max,
      },
      log,
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
    const symbols = chooseSymbols(this.#config, listing.instruments)
    const transport = this.#createTransport(symbols)
    this.#transport = transport
    if (this.#config.choice.channels.includes('trades')) this.#repairer = this.#startRepairer(symbols)
    this.#markStreams({ kind: 'started' }, transport.status().streams)
    await transport.start()
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
      rows_committed: counts.rows,
      duplicates: counts.duplicates,
      ignored: sumOf(counts.ignored),
      rejected: sumOf(counts.rejected),
      dead_letters: counts.dead_letters,
      gaps: counts.gaps,
      gaps_open: this.#repairer?.counts().gaps_open ?? 0,
      gaps_repaired: this.#repairer?.counts().gaps_repaired ?? 0,
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

  #createTransport(symbols: readonly string[]): Transport {
    return createTransport({
      adapter: this.#adapter,
      ws_url: this.#config.ws_url,
      symbols,
      choice: this.#config.choice,
      // Unique over all lives of the tape, as long as fewer than one socket a second is opened.
      first_connection: Math.floor(this.#clock.now() / (1_000 * MICROS_PER_MS)),
      onFrame: (connection, _stream, frame, ts_ingest) => {
        this.#frames_received++
        this.#append('frame', connection, ts_ingest, frame)
      },
      onDeaf: (cause, streams) => this.#markStreams({ kind: 'deaf', cause }, streams),
      log: this.#log,
      clock: this.#clock,
    })
  }

  #startRepairer(symbols: readonly string[]): Repairer {
    const { database_url, ingestor_id, choice } = this.#config
    return startRepairer({
      database_url,
      ingestor_id,
      adapter: this.#adapter,
      choice,
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
  #markStreams(
    why: { readonly kind: 'started' } | { readonly kind: 'deaf'; readonly cause: GapCause },
    streams: readonly StreamName[],
  ): void {
    const mark: Mark = { ...why, streams: namesOf(streams) }
    this.#append('mark', 0, this.#clock.now(), Buffer.from(JSON.stringify(mark)))
    this.#tape.flush()
    this.#repairer?.noteDeaf(tradeSymbols(streams), this.#tape.end)
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

function namesOf(streams: readonly StreamName[]): readonly StreamName[] {
  return streams.map(({ symbol, channel }) => ({ symbol, channel }))
}

function tradeSymbols(streams: readonly StreamName[]): readonly string[] {
  return streams.filter((stream) => stream.channel === 'trades').map((stream) => stream.symbol)
}
