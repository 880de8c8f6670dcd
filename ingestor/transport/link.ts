/**
 * One socket from its handshake to its end: subscriptions in paced batches with acknowledgement and
 * timeout, refused streams that are requested again later, pings, and detection of a dead
 * connection. It only reports; lane.ts decides what to do. Time arrives as elapsed milliseconds, so
 * a suspended process does not look like a dead exchange.
 */
import { randomUUID } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { WebSocket } from 'ws'
import { describeError } from '#core/errors.ts'
import type { Micros } from '#core/time.ts'
import { orderOf } from '#core/market.ts'
import { retryAfterMs } from '#core/waiting.ts'
import type { ExchangeAdapter, StreamChoice } from '../exchanges/adapter.ts'
import type { Clock } from './clock.ts'
import { takePlainFrames } from './plain-frames.ts'
import { createRefusedStreams, type RefusedStreams } from './refused-streams.ts'
import { createRequests, type Requests } from './requests.ts'
import type { TransportSettings } from './settings.ts'
import type { SocketStream } from './socket-stream.ts'
import type { Timers } from './timers.ts'

/** How long to wait for the exchange's answer to our close. */
const CLOSE_PATIENCE_MS = 1_000

/** Why a socket ended, for the log and the back-off. */
export interface LinkEnd {
  readonly detail: string
  /** The exchange's Retry-After; 0 if there was none. */
  readonly retry_after_ms: number
}

export interface LinkHandlers {
  readonly onFrame: (
    connection: number,
    stream: string | undefined,
    frame: Buffer,
    ts_ingest: Micros,
  ) => void
  /** These subscriptions were acknowledged. */
  onSubscribed(link: Link, streams: readonly SocketStream[]): void
  onRefused(link: Link, stream: SocketStream, detail: string): void
  /** The exchange will end this socket soon. */
  onShutdown(link: Link): void
  readonly onListingChanged: () => void
  /** Called once, unless we closed the socket. */
  onEnd(link: Link, end: LinkEnd): void
}

export interface LinkOptions {
  readonly connection: number
  readonly url: string
  /** See StreamGroup. */
  readonly notices: readonly string[]
  readonly adapter: ExchangeAdapter
  readonly choice: StreamChoice
  readonly settings: TransportSettings
  readonly clock: Clock
  readonly timers: Timers
  readonly handlers: LinkHandlers
}

/** A ping that waits for its pong. */
export interface Probe {
  readonly is_answered: boolean
}

/** A stream on this socket. */
export interface LinkStream {
  readonly state: SocketStream
  frame_count: number
  /** frame_count when the silence watch last looked. */
  seen_count: number
  is_subscribed: boolean
  /** Smallest and largest id (or time, see orderOf) since `trackIds`. */
  first_id: number | undefined
  last_id: number | undefined
}

type Phase = 'connecting' | 'open' | 'ended'

export class Link {
  readonly connection: number
  readonly streams = new Map<string, LinkStream>()
  /** Time of the last frame of any stream. */
  last_frame_at: Micros | undefined
  readonly #options: LinkOptions
  readonly #socket: WebSocket
  readonly #requests: Requests
  readonly #refused: RefusedStreams
  #phase: Phase = 'connecting'
  #is_tracking = false
  #has_traffic = false
  #idle_ms = 0
  #ping_age_ms: number | undefined
  #since_keepalive_ms = 0

  constructor(options: LinkOptions, streams: readonly SocketStream[]) {
    const { adapter, settings, timers } = options
    this.#options = options
    this.connection = options.connection
    this.#refused = createRefusedStreams(settings)
    this.#requests = createRequests({
      adapter,
      timers,
      ack_timeout_ms: settings.ack_timeout_ms,
      send: (text) => this.#socket.send(text),
      onAcknowledged: (names) => this.#noteSubscribed(names),
      onRefused: (name, detail) => this.#noteRefused(name, detail),
      onTimeout: (method) => this.#end(`no answer to ${method}`),
    })
    this.#socket = new WebSocket(options.url, {
      perMessageDeflate: false,
      maxPayload: adapter.limits.frame_bytes_max,
      handshakeTimeout: settings.connect_timeout_ms,
      // A frame with invalid UTF-8 belongs on the tape; the parser rejects it with a reason.
      skipUTF8Validation: true,
    })
    this.#listen()
    this.subscribe(streams)
    this.#requests.add('subscribe', options.notices)
  }

  get is_open(): boolean {
    return this.#phase === 'open'
  }

  /** Open, with every request answered. */
  get is_ready(): boolean {
    return this.#phase === 'open' && this.#requests.is_idle
  }

  subscribe(states: readonly SocketStream[]): void {
    this.#requests.add('subscribe', this.#expect(states))
  }

  unsubscribe(names: readonly string[]): void {
    for (const name of names) this.#refused.forget(name)
    const known = names.filter((name) => this.streams.delete(name))
    this.#requests.add('unsubscribe', known)
  }

  /** Returns the names. */
  #expect(states: readonly SocketStream[]): readonly string[] {
    for (const state of states) {
      this.streams.set(state.stream.name, {
        state,
        frame_count: 0,
        seen_count: 0,
        is_subscribed: false,
        first_id: undefined,
        last_id: undefined,
      })
    }
    return states.map((state) => state.stream.name)
  }

  /**
   * Reads the ids of the frames, to compare this socket's progress with another one's. It parses
   * every frame, so it is on only while a socket is being replaced.
   */
  trackIds(is_tracking: boolean): void {
    this.#is_tracking = is_tracking
  }

  /**
   * Pings the exchange. An answer proves that the socket was alive at the ping, and that every
   * frame sent before the answer has arrived.
   */
  probe(): Probe {
    const probe = { is_answered: false }
    const question = randomUUID()
    this.#socket.on('pong', (answer: Buffer) => {
      if (String(answer) === question) probe.is_answered = true
    })
    this.#socket.ping(question)
    return probe
  }

  /** Closes the socket: no callback and no frame after this. Never throws. */
  async close(): Promise<void> {
    if (this.#phase === 'ended') return
    const was_open = this.#phase === 'open'
    this.#phase = 'ended'
    this.#requests.stop()
    await new Promise<void>((resolve) => {
      const cancel = this.#options.timers.after(CLOSE_PATIENCE_MS, () => {
        this.#socket.terminate()
        resolve()
      })
      this.#socket.once('close', () => {
        cancel()
        resolve()
      })
      if (was_open) this.#socket.close(1000)
      else this.#socket.terminate()
    })
  }

  /** Checks acknowledgement timeouts and whether the connection is alive. */
  tick(elapsed_ms: number): void {
    if (this.#phase !== 'open') return
    const { settings, adapter } = this.#options
    if (this.#has_traffic) {
      this.#has_traffic = false
      this.#idle_ms = 0
      this.#ping_age_ms = undefined
    } else {
      this.#idle_ms += elapsed_ms
      if (this.#ping_age_ms !== undefined) this.#ping_age_ms += elapsed_ms
    }
    if (this.#ping_age_ms === undefined) {
      const idle_max_ms = Math.min(settings.idle_ping_ms, adapter.limits.ping_interval_s * 1_000)
      if (this.#idle_ms >= idle_max_ms) {
        this.#ping_age_ms = 0
        this.#socket.ping()
      }
    } else if (this.#ping_age_ms >= settings.pong_timeout_ms) {
      return this.#end('no traffic and no pong')
    }
    this.#keepAlive(elapsed_ms)
    this.#requests.tick(elapsed_ms)
    if (this.#phase !== 'open') return
    this.#requests.repeat(this.#expect(this.#refused.due(elapsed_ms)))
  }

  #keepAlive(elapsed_ms: number): void {
    const { keepalive } = this.#options.adapter
    if (keepalive === undefined) return
    this.#since_keepalive_ms += elapsed_ms
    if (this.#since_keepalive_ms < keepalive.interval_s * 1_000) return
    this.#since_keepalive_ms = 0
    this.#socket.send(keepalive.text)
  }

  #listen(): void {
    const socket = this.#socket
    const { clock, handlers } = this.#options
    const take = (data: Buffer, is_first: boolean): void => {
      const ts_ingest = is_first ? clock.now() : clock.again()
      if (this.#phase === 'open') this.#take(data, ts_ingest, handlers)
    }
    let wire: Duplex | undefined
    socket.on('message', (data: Buffer) => take(data, true))
    socket.on('upgrade', (response) => {
      wire = response.socket
    })
    socket.on('open', () => {
      if (this.#phase !== 'connecting') return
      this.#phase = 'open'
      const { frame_bytes_max } = this.#options.adapter.limits
      if (wire !== undefined) takePlainFrames(wire, frame_bytes_max, take)
      for (const text of this.#options.adapter.opening_frames) socket.send(text)
      this.#requests.start()
    })
    const noteTraffic = (): void => {
      this.#has_traffic = true
    }
    socket.on('ping', noteTraffic)
    socket.on('pong', noteTraffic)
    socket.on('unexpected-response', (_request, response) => {
      response.resume()
      const retry_after_ms = retryAfterMs(response.headers['retry-after'])
      this.#end(`refused with HTTP ${response.statusCode}`, retry_after_ms)
    })
    socket.on('error', (error) => this.#end(describeError(error)))
    socket.on('close', (code) => this.#end(`closed with code ${code}`))
  }

  #take(frame: Buffer, ts_ingest: Micros, handlers: LinkHandlers): void {
    this.#has_traffic = true
    this.last_frame_at = ts_ingest
    const name = this.#options.adapter.streamOf(frame)
    const entry = name === undefined ? undefined : this.streams.get(name)
    // Before the callback, because it may pause the transport, which uncovers the stream.
    if (entry !== undefined) noteFrame(entry, ts_ingest)
    if (entry !== undefined && this.#is_tracking) this.#noteIds(entry, frame, ts_ingest)
    handlers.onFrame(this.connection, name, frame, ts_ingest)
    if (entry !== undefined || this.#phase !== 'open') return
    const control = this.#options.adapter.controlOf(frame)
    if (control === undefined) return
    switch (control.kind) {
      case 'shutdown':
        return handlers.onShutdown(this)
      case 'listing_changed':
        return handlers.onListingChanged()
      case 'reply':
        return this.#socket.send(control.text)
      case 'turned_away':
        return this.#end(`rejected by the exchange: ${control.detail}`, control.retry_after_ms)
      default:
        return this.#requests.answer(control)
    }
  }

  #noteIds(entry: LinkStream, frame: Buffer, ts_ingest: Micros): void {
    const { adapter, choice } = this.#options
    const parsed = adapter.parse(frame, ts_ingest, choice)
    if (parsed.kind !== 'events') return
    for (const id of parsed.events.map(orderOf)) {
      entry.first_id = Math.min(entry.first_id ?? id, id)
      entry.last_id = Math.max(entry.last_id ?? id, id)
    }
  }

  #noteSubscribed(names: readonly string[]): void {
    const states: SocketStream[] = []
    for (const name of names) {
      const entry = this.streams.get(name)
      if (entry === undefined) continue // removed while the request was in flight
      entry.is_subscribed = true
      this.#refused.forget(name)
      states.push(entry.state)
    }
    this.#options.handlers.onSubscribed(this, states)
  }

  #noteRefused(name: string, detail: string): void {
    const entry = this.streams.get(name)
    if (entry === undefined) return
    this.streams.delete(name)
    this.#refused.note(entry.state)
    this.#options.handlers.onRefused(this, entry.state, detail)
  }

  #end(detail: string, retry_after_ms = 0): void {
    if (this.#phase === 'ended') return
    this.#phase = 'ended'
    this.#requests.stop()
    this.#socket.terminate()
    this.#options.handlers.onEnd(this, { detail, retry_after_ms })
  }
}

function noteFrame(entry: LinkStream, ts_ingest: Micros): void {
  const { state } = entry
  entry.frame_count++
  state.frame_count++
  state.last_frame_at = ts_ingest
  state.is_covered = true
  state.is_silent = false
}
