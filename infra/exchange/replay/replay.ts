/**
 * Plays recordings to subscribers: at the original speed, faster, or as fast as the sockets accept.
 * Frames are sent with the recorded bytes. No frame is dropped for speed.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { describeError, OperatorError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import { micros, type Micros } from '#core/time.ts'
import { INDEX_CHANNEL } from '../deribit/index-channel.ts'
import type { SnapshotLedger } from '../ledger.ts'
import type { Hub, Topic } from '../protocol/hub.ts'
import { withoutSpeed } from '../protocol/streams.ts'
import type { Source, SourceStatus } from '../source.ts'
import { VENUE_NAMES, type VenueName } from '../venue.ts'
import { idOf, streamOf, unwrap } from './frame.ts'
import { readRecording, summariseRecording, type RecordingSummary } from './recording.ts'
import { ReplayIndexes } from './indexes.ts'
import { ReplayRest } from './rest.ts'

export interface ReplayOptions {
  /** Played one after another. */
  readonly files: readonly string[]
  /** 1 is the original speed, 10 is ten times as fast. */
  readonly speed: 'max' | number
}

/** Exchanges that can be played alongside any other, because their paths are distinct. */
const EXTRA_EXCHANGES: readonly string[] = ['deribit', 'bybit-linear']
/** Frames between two checks of the sockets. */
const BATCH_FRAMES = 256
/** How long a replay at full speed waits for a disconnected client to reconnect. */
const RETURN_LIMIT_MS = 30_000
const POLL_MS = 20

/** First reads all recordings in full, so that an invalid one is refused before anything starts. */
export async function createReplay(
  options: ReplayOptions,
  wanted_venue: VenueName | undefined,
  hub: Hub,
  log: Logger,
): Promise<{ readonly source: Source; readonly venue: VenueName }> {
  let venue = wanted_venue
  const rest = new ReplayRest(micros(0))
  const summaries: RecordingSummary[] = []
  for (const file of options.files) {
    const summary = await summariseRecording(file, (line) => rest.addSnapshot(line))
    if (!EXTRA_EXCHANGES.includes(summary.exchange)) venue = venueOf(file, summary.exchange, venue)
    summaries.push(summary)
  }
  // Deribit's indexes are not instruments.
  rest.setListings(summaries.filter(({ exchange }) => exchange !== 'deribit'))
  rest.moveTo(summaries[0]?.from_ts ?? micros(0))
  const streams = new Set(summaries.flatMap((summary) => Object.keys(summary.streams)))
  const topics = new Map([...streams].map((stream) => [stream, hub.createTopic(stream)]))
  const frames_total = summaries.reduce((sum, { ws_count }) => sum + ws_count, 0)
  const indexes = new ReplayIndexes(streams)
  const source = new Replay(options, hub, log, rest, indexes, topics, frames_total)
  return { source, venue: venue ?? 'binance-futures' }
}

/** Throws if the exchange cannot be played, or differs from that of earlier recordings. */
function venueOf(file: string, exchange: string, venue: VenueName | undefined): VenueName {
  const found = VENUE_NAMES.find((name) => name === exchange)
  if (found !== undefined && (venue === undefined || venue === found)) return found
  const venues = VENUE_NAMES.join(', ')
  throw new OperatorError(
    'recording_of_other_exchange',
    `${file} is a recording of ${exchange}${found === undefined ? '' : `, not of ${venue}`}.`,
    {
      hint:
        `An exchange server plays one of ${venues} at a time. ` +
        `In addition, it can play ${EXTRA_EXCHANGES.join(' and ')}.`,
    },
  )
}

class Replay implements Source {
  readonly rest: ReplayRest
  readonly indexes: ReplayIndexes
  readonly #options: ReplayOptions
  readonly #hub: Hub
  readonly #log: Logger
  readonly #topics: ReadonlyMap<string, Topic>
  readonly #frames_total: number
  readonly #stopping = new AbortController()
  readonly #given_up = new Set<Topic>()
  #state: SourceStatus['state'] = 'waiting'
  #error: string | null = null
  #playing: Promise<void> = Promise.resolve()

  constructor(
    options: ReplayOptions,
    hub: Hub,
    log: Logger,
    rest: ReplayRest,
    indexes: ReplayIndexes,
    topics: ReadonlyMap<string, Topic>,
    frames_total: number,
  ) {
    this.#options = options
    this.#hub = hub
    this.#log = log
    this.rest = rest
    this.indexes = indexes
    this.#topics = topics
    this.#frames_total = frames_total
  }

  topicsOf(stream: string): readonly Topic[] {
    const wanted = withoutSpeed(stream)
    return [...this.#topics.values()].filter((topic) => withoutSpeed(topic.stream) === wanted)
  }

  start(): void {
    this.#state = 'playing'
    this.#playing = this.#play().then(
      () => {
        this.#state = 'done'
      },
      (error: unknown) => {
        if (this.#stopping.signal.aborted) return
        this.#state = 'failed'
        this.#error = describeError(error)
        this.#log.error({ code: 'replay_failed', error: this.#error }, 'The replay ended early.')
      },
    )
  }

  snapshots(): SnapshotLedger {
    return this.rest.snapshots()
  }

  status(): SourceStatus {
    return {
      source: 'replay',
      state: this.#state,
      frames_published: this.#hub.published_count,
      frames_total: this.#frames_total,
      error: this.#error,
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#playing
  }

  async #play(): Promise<void> {
    for (const file of this.#options.files) await this.#playFile(file)
    await this.#hub.empty()
  }

  async #playFile(file: string): Promise<void> {
    const { speed } = this.#options
    const started = performance.now()
    let first_ts: Micros | undefined
    for await (const line of readRecording(file)) {
      first_ts ??= line.ts
      if (speed !== 'max') await this.#waitUntil(started + (line.ts - first_ts) / 1_000 / speed)
      this.rest.moveTo(line.ts)
      if (line.kind === 'rest') continue
      const stream = streamOf(line.data)
      const topic = stream === undefined ? undefined : this.#topics.get(stream)
      if (topic === undefined) {
        this.#hub.publishUnroutable(line.data)
      } else {
        if (topic.clients.size > 0) this.#given_up.delete(topic)
        else if (speed === 'max' && topic.intended) await this.#waitForClients(topic)
        this.#publish(topic, line.data, Math.floor(line.ts / 1_000))
      }
      if (this.#hub.published_count % BATCH_FRAMES === 0) await this.#breathe()
    }
    this.#hub.flush()
  }

  #publish(topic: Topic, text: string, ts_ms: number): void {
    if (/@(aggTrade|trade|markPrice)/.test(topic.stream)) this.rest.note(text)
    if (topic.stream.startsWith(INDEX_CHANNEL)) this.indexes.note(text)
    const { payload, wrapped } = unwrap(text)
    // A frame recorded without the wrapper gets one if the socket is combined.
    this.#hub.publish(topic, idOf(payload), ts_ms, payload, wrapped ? text : undefined)
  }

  /** At full speed, a reconnecting client could miss a whole day: wait for it, but not for ever. */
  async #waitForClients(topic: Topic): Promise<void> {
    if (this.#given_up.has(topic)) return
    this.#hub.flush()
    const deadline = performance.now() + RETURN_LIMIT_MS
    while (topic.intended && topic.clients.size === 0 && performance.now() < deadline) {
      await sleep(POLL_MS, undefined, { signal: this.#stopping.signal })
    }
    if (topic.clients.size > 0) return
    // Give up on all disconnected topics at once, instead of waiting for each in turn.
    for (const other of this.#topics.values()) {
      if (other.clients.size === 0) this.#given_up.add(other)
    }
  }

  async #waitUntil(due: number): Promise<void> {
    // Timers are not finer than 1 ms; closer frames go out together.
    if (due - performance.now() < 1) return
    this.#hub.flush()
    while (due > performance.now()) {
      await sleep(Math.min(1_000, due - performance.now()), undefined, {
        signal: this.#stopping.signal,
      })
      // Delayed frames become due even while no frame is played.
      this.#hub.flush()
    }
  }

  /** Lets the event loop serve sockets, REST and the control API. */
  async #breathe(): Promise<void> {
    this.#hub.flush()
    await this.#hub.room()
    await nextTurn()
    this.#stopping.signal.throwIfAborted()
  }
}
