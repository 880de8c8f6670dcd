/**
 * The lifecycle of all sockets of an ingestor: which streams, over how many sockets, and whether
 * they are alive. Each frame goes to `onFrame`, stamped, in the event-loop turn in which it
 * arrives. Lost streams go to `onLost`. The adapter interprets the frames, and the caller stores
 * them.
 */
import { OperatorError } from '#core/errors.ts'
import type { Channel, GapCause } from '#core/market.ts'
import type { Logger } from '#core/node/log.ts'
import type { Micros } from '#core/time.ts'
import type { ExchangeAdapter, Stream, StreamChoice, StreamGroup } from '../exchanges/adapter.ts'
import type { SocketStatus } from './carrier.ts'
import { createClock, type Clock } from './clock.ts'
import { Lane, type LaneOptions } from './lane.ts'
import type { LinkHandlers } from './link.ts'
import { createConnectBudget } from './pacing.ts'
import { placeStreams } from './stream-placement.ts'
import { DEFAULT_SETTINGS, type TransportSettings } from './settings.ts'
import { createSocketStream, type SocketStream } from './socket-stream.ts'
import { systemTimers, type Timers } from './timers.ts'

export interface TransportOptions {
  readonly adapter: ExchangeAdapter
  readonly ws_url: string
  readonly symbols: readonly string[]
  readonly choice: StreamChoice
  /** Returns a connection number that is new on the tape. If absent, numbers start from 1. */
  readonly nextConnection?: () => number
  /**
   * Called synchronously for every frame, including acknowledgements. The buffer is a view into the
   * socket's read buffer: copy what you keep.
   */
  readonly onFrame: LinkHandlers['onFrame']
  /**
   * True if the symbol's market has sessions: quotes, trades and books may fall silent any time.
   */
  readonly mayRest?: (symbol: string) => boolean
  /**
   * Called once when streams are lost: no socket covers them until their next frame. `heard_until`:
   * when the socket that carried them last delivered anything, if known. `carried_by`: the socket
   * that carries them now. It may have been subscribed after the last one was lost, so events
   * before its first frame may be missing.
   */
  onLost(
    cause: GapCause,
    streams: readonly Stream[],
    heard_until: Micros | undefined,
    carried_by?: number,
  ): void
  /**
   * Only this socket carries the streams from now on. It was subscribed before the others closed.
   */
  onCarried?(connection: number, streams: readonly Stream[]): void
  /** This socket is subscribed to streams of rare events, which may be quiet for days. */
  onHeard?(connection: number, streams: readonly Stream[]): void
  /**
   * The exchange announced a new listing. Called once per socket that receives the announcement.
   */
  onListingChanged?(): void
  readonly log: Logger
  readonly settings?: Partial<TransportSettings>
  readonly clock?: Clock
  readonly timers?: Timers
  readonly random?: () => number
}

export interface StreamStatus {
  readonly name: string
  readonly symbol: string
  readonly channel: Stream['channel']
  readonly is_covered: boolean
  readonly frame_count: number
  readonly last_frame_at: Micros | null
  /** The exchange's text if it refused the subscription. */
  readonly refusal: string | null
}

export interface TransportStatus {
  /** degraded: was live, and some stream is not covered now. */
  readonly state: 'stopped' | 'paused' | 'connecting' | 'live' | 'degraded'
  readonly sockets: readonly SocketStatus[]
  readonly streams: readonly StreamStatus[]
}

export interface StreamChange {
  readonly added: readonly Stream[]
  readonly removed: readonly Stream[]
  readonly kept: readonly Stream[]
}

export interface Transport {
  /** Connects. Resolves once every subscription was acknowledged or refused (see `status`). */
  start(): Promise<void>
  status(): TransportStatus
  /** Returns what `setStreams` would change. */
  compare(symbols: readonly string[], choice: StreamChoice): StreamChange
  /** Adds and removes streams. Streams that stay are not touched. */
  setStreams(symbols: readonly string[], choice: StreamChoice): StreamChange
  /** Closes every socket and reports the streams as lost, until `resume`. */
  pause(cause: GapCause): void
  resume(): void
  /** Closes every socket. No callback follows, and the transport cannot be started again. */
  stop(): Promise<void>
}

export function createTransport(options: TransportOptions): Transport {
  return new SocketTransport(options)
}

/** Channels that fall silent when a market closes. Mark prices continue. */
const MARKET_CHANNELS: ReadonlySet<Channel> = new Set(['book_ticker', 'trades', 'depth_events'])

type Phase = 'new' | 'running' | 'paused' | 'stopped'

class SocketTransport implements Transport {
  readonly #options: TransportOptions
  readonly #settings: TransportSettings
  readonly #timers: Timers
  readonly #lane_options: Omit<LaneOptions, 'url' | 'notices'>
  readonly #ready = Promise.withResolvers<void>()
  #lanes: readonly Lane[] = []
  #phase: Phase = 'new'
  #has_been_ready = false
  #next_connection = 1
  #last_tick_ms = 0
  #cancelTicks: (() => void) | undefined

  constructor(options: TransportOptions) {
    this.#options = options
    this.#settings = { ...DEFAULT_SETTINGS, ...options.settings }
    this.#timers = options.timers ?? systemTimers
    this.#lane_options = {
      adapter: options.adapter,
      // Only for parsing, so every channel: any stream of the exchange may be chosen later.
      choice: { ...options.choice, channels: options.adapter.channels },
      settings: this.#settings,
      clock: options.clock ?? createClock(),
      timers: this.#timers,
      random: options.random ?? Math.random,
      log: options.log,
      budget: createConnectBudget(options.adapter.limits.connect_attempts_per_5_min_max),
      nextConnection: options.nextConnection ?? (() => this.#next_connection++),
      onFrame: options.onFrame,
      onLost: (cause, states, heard_until, carried_by) =>
        options.onLost(cause, states.map(streamIn), heard_until, carried_by),
      onCarried: (connection, states) => options.onCarried?.(connection, states.map(streamIn)),
      onHeard: (connection, states) => options.onHeard?.(connection, states.map(streamIn)),
      onReady: () => this.#noteReady(),
      onListingChanged: () => options.onListingChanged?.(),
    }
    // If nobody awaits start(), its rejection by stop() must not end the process.
    this.#ready.promise.catch(() => undefined)
    this.setStreams(options.symbols, options.choice)
  }

  start(): Promise<void> {
    if (this.#phase !== 'new') return this.#ready.promise
    this.#phase = 'running'
    this.#last_tick_ms = this.#timers.now_ms()
    this.#cancelTicks = this.#timers.every(this.#settings.tick_ms, () => this.#tick())
    for (const lane of this.#lanes) lane.start()
    this.#noteReady()
    return this.#ready.promise
  }

  status(): TransportStatus {
    const sockets = this.#lanes.flatMap((lane) => lane.status())
    const streams = this.#lanes.flatMap((lane) => [...lane.streams.values()].map(streamStatus))
    return { state: this.#state(streams), sockets, streams }
  }

  compare(symbols: readonly string[], choice: StreamChoice): StreamChange {
    return this.#compare(this.#groups(symbols, choice))
  }

  setStreams(symbols: readonly string[], choice: StreamChoice): StreamChange {
    const groups = this.#groups(symbols, choice)
    const change = this.#compare(groups)
    const removed = new Set(change.removed.map((stream) => stream.name))
    const added = new Set(change.added.map((stream) => stream.name))
    for (const lane of this.#lanes) {
      lane.remove([...lane.streams.keys()].filter((name) => removed.has(name)))
      for (const state of lane.streams.values()) state.may_rest = this.#mayRest(state.stream)
    }
    const lanes = [...this.#lanes]
    for (const group of groups) {
      const streams = group.streams.filter((stream) => added.has(stream.name))
      const states = streams.map((stream) => createSocketStream(stream, this.#mayRest(stream)))
      this.#place(lanes, group, states)
    }
    for (const lane of lanes) if (lane.streams.size === 0) void lane.stop()
    this.#lanes = lanes.filter((lane) => lane.streams.size > 0)
    if (this.#phase === 'running') for (const lane of this.#lanes) lane.start()
    return change
  }

  pause(cause: GapCause): void {
    if (this.#phase !== 'running') return
    this.#phase = 'paused'
    for (const lane of this.#lanes) void lane.stop(cause)
  }

  resume(): void {
    if (this.#phase !== 'paused') return
    this.#phase = 'running'
    for (const lane of this.#lanes) lane.start()
  }

  async stop(): Promise<void> {
    this.#phase = 'stopped'
    this.#cancelTicks?.()
    this.#ready.reject(
      new OperatorError('transport_stopped', 'Stopped before every subscription was acknowledged.'),
    )
    await Promise.all(this.#lanes.map((lane) => lane.stop()))
  }

  #groups(symbols: readonly string[], choice: StreamChoice): readonly StreamGroup[] {
    const { adapter, ws_url } = this.#options
    return adapter.groups(ws_url, symbols, choice)
  }

  #compare(groups: readonly StreamGroup[]): StreamChange {
    const wanted = new Map(groups.flatMap(({ streams }) => streams.map((one) => [one.name, one])))
    const now = this.#lanes.flatMap((lane) => [...lane.streams.values()].map(streamIn))
    const known = new Set(now.map((stream) => stream.name))
    return {
      added: [...wanted.values()].filter((stream) => !known.has(stream.name)),
      removed: now.filter((stream) => !wanted.has(stream.name)),
      kept: now.filter((stream) => wanted.has(stream.name)),
    }
  }

  #mayRest({ symbol, channel }: Stream): boolean {
    return MARKET_CHANNELS.has(channel) && this.#options.mayRest?.(symbol) === true
  }

  #place(lanes: Lane[], group: StreamGroup, states: readonly SocketStream[]): void {
    const { url, notices = [] } = group
    const peers = lanes.filter((lane) => lane.url === url)
    const { streams_per_socket_max } = this.#options.adapter.limits
    const loads = peers.map((lane) => lane.streams.size)
    const indexes = placeStreams(loads, states.length, streams_per_socket_max)
    const shares = new Map<Lane, SocketStream[]>()
    for (const [at, state] of states.entries()) {
      const index = indexes[at]!
      const lane = (peers[index] ??= new Lane({ ...this.#lane_options, url, notices }))
      const share = shares.get(lane) ?? []
      share.push(state)
      shares.set(lane, share)
    }
    for (const [lane, share] of shares) {
      lane.add(share)
      if (!lanes.includes(lane)) lanes.push(lane)
    }
  }

  #tick(): void {
    const now_ms = this.#timers.now_ms()
    // After a suspend, the process must not blame the exchange for the silence.
    const elapsed_ms = Math.min(now_ms - this.#last_tick_ms, 2 * this.#settings.tick_ms)
    this.#last_tick_ms = now_ms
    for (const lane of this.#lanes) lane.tick(elapsed_ms)
  }

  #noteReady(): void {
    if (!this.#lanes.every((lane) => lane.has_been_ready)) return
    this.#has_been_ready = true
    this.#ready.resolve()
  }

  #state(streams: readonly StreamStatus[]): TransportStatus['state'] {
    if (this.#phase === 'paused') return 'paused'
    if (this.#phase !== 'running') return 'stopped'
    if (streams.every((stream) => stream.is_covered || stream.refusal !== null)) return 'live'
    return this.#has_been_ready ? 'degraded' : 'connecting'
  }
}

function streamIn({ stream }: SocketStream): Stream {
  return stream
}

function streamStatus(state: SocketStream): StreamStatus {
  const { name, symbol, channel } = state.stream
  return {
    name,
    symbol,
    channel,
    is_covered: state.is_covered,
    frame_count: state.frame_count,
    last_frame_at: state.last_frame_at ?? null,
    refusal: state.refusal ?? null,
  }
}
