/**
 * A lane holds a set of streams and keeps exactly one good socket for them: it connects, reconnects
 * with back-off, and replaces a socket that nears the end of its life, announces its end or falls
 * silent. A replacement opens the new socket before it closes the old one.
 *
 * A replacement closes the old socket once every stream that delivers on it has delivered on the
 * new one, the old one has caught up with the new one's first events, and the old one has answered
 * a ping sent after the new one was subscribed. Until then frames arrive twice; the keys of the
 * tables remove the duplicates. If the old socket ends earlier, it may have ended before the new
 * one was subscribed, so its streams are reported as in doubt.
 */
import type { GapCause } from '#core/market.ts'
import { backoffMs } from '#core/waiting.ts'
import type { ExchangeAdapter, StreamChoice } from '../exchanges/adapter.ts'
import { compareSockets, socketStatus, type Carrier, type SocketStatus } from './carrier.ts'
import type { Clock } from './clock.ts'
import { Coverage, type CoverageReports, namesOf } from './coverage.ts'
import { Link, type LinkEnd, type LinkHandlers, type Probe } from './link.ts'
import type { ConnectBudget } from './pacing.ts'
import type { TransportSettings } from './settings.ts'
import type { SocketStream } from './socket-stream.ts'
import type { Timers } from './timers.ts'
import { createWatch, type Watch } from './watch.ts'

type ReplaceReason = 'renewal' | 'shutdown' | 'silence'

export interface LaneOptions extends CoverageReports {
  readonly url: string
  /** See StreamGroup. */
  readonly notices: readonly string[]
  readonly adapter: ExchangeAdapter
  readonly choice: StreamChoice
  readonly settings: TransportSettings
  readonly clock: Clock
  readonly timers: Timers
  readonly random: () => number
  readonly budget: ConnectBudget
  readonly nextConnection: () => number
  readonly onFrame: LinkHandlers['onFrame']
  /** See TransportOptions. */
  onCarried(connection: number, states: readonly SocketStream[]): void
  /** Every stream was acknowledged or refused. */
  onReady(): void
  readonly onListingChanged: () => void
}

export class Lane {
  readonly url: string
  readonly #coverage: Coverage
  readonly #options: LaneOptions
  readonly #watch: Watch
  #is_running = false
  #has_been_ready = false
  #current: Carrier | undefined
  #successor: Carrier | undefined
  /** A ping on the old socket: was it alive when the new one was subscribed? */
  #probe: Probe | undefined
  #replace_reason: ReplaceReason | undefined
  #replace_pause_ms = 0
  #failure_count = 0
  #cancelConnect: (() => void) | undefined

  constructor(options: LaneOptions) {
    this.url = options.url
    this.#options = options
    this.#coverage = new Coverage(options)
    this.#watch = createWatch(options.settings)
  }

  get streams(): ReadonlyMap<string, SocketStream> {
    return this.#coverage.streams
  }

  get has_been_ready(): boolean {
    return this.#has_been_ready
  }

  start(): void {
    if (this.#is_running) return
    this.#is_running = true
    this.#failure_count = 0
    this.#connect()
  }

  /** Closes the sockets. If a cause is given, the covered streams are reported as lost. */
  async stop(cause?: GapCause): Promise<void> {
    this.#is_running = false
    this.#cancelConnect?.()
    this.#cancelConnect = undefined
    const carriers = [this.#current, this.#successor]
    const heard_until = this.#current?.link.last_frame_at
    this.#current = undefined
    this.#successor = undefined
    this.#replace_reason = undefined
    if (cause !== undefined) this.#coverage.noteUncovered(undefined, cause, heard_until)
    await Promise.all(carriers.map((carrier) => carrier?.link.close()))
  }

  add(states: readonly SocketStream[]): void {
    for (const state of states) this.#coverage.streams.set(state.stream.name, state)
    this.#current?.link.subscribe(states)
    this.#successor?.link.subscribe(states)
  }

  remove(names: readonly string[]): void {
    for (const name of names) this.#coverage.streams.delete(name)
    this.#current?.link.unsubscribe(names)
    this.#successor?.link.unsubscribe(names)
  }

  tick(elapsed_ms: number): void {
    if (!this.#is_running) return
    this.#replace_pause_ms -= elapsed_ms
    for (const carrier of [this.#current, this.#successor]) {
      if (carrier === undefined) continue
      carrier.age_ms += elapsed_ms
      carrier.link.tick(elapsed_ms)
      if (carrier.link.is_ready) carrier.ready_ms += elapsed_ms
    }
    const current = this.#current
    if (current?.link.is_ready === true) this.#listenForSilence(current.link, elapsed_ms)
    if (current !== undefined && current.age_ms >= current.renew_at_ms) this.#replace('renewal')
    else if (this.#replace_reason !== undefined) this.#replace(this.#replace_reason)
    this.#tryPromote()
  }

  status(): readonly SocketStatus[] {
    const [current, successor] = [this.#current, this.#successor]
    return [
      ...(current === undefined ? [] : [socketStatus(current, this.url, 'current')]),
      ...(successor === undefined ? [] : [socketStatus(successor, this.url, 'successor')]),
    ]
  }

  #connect(): void {
    if (!this.#is_running || this.#current !== undefined) return
    const wait_ms = this.#takeAttempt()
    if (wait_ms > 0) return this.#connectLater(wait_ms)
    this.#current = this.#open()
    this.#watch.restart(this.#current.link)
  }

  #connectLater(delay_ms: number): void {
    this.#cancelConnect?.()
    this.#cancelConnect = this.#options.timers.after(delay_ms, () => {
      this.#cancelConnect = undefined
      this.#connect()
    })
  }

  #takeAttempt(): number {
    return this.#options.budget.take(this.#options.timers.now_ms())
  }

  #open(): Carrier {
    const { adapter, random } = this.#options
    const life_ms = adapter.limits.socket_life_s * 1_000
    const handlers: LinkHandlers = {
      onFrame: this.#options.onFrame,
      onSubscribed: (link, states) => this.#noteSubscribed(link, states),
      onRefused: (link, state, detail) => this.#noteRefused(link, state, detail),
      onShutdown: (link) => this.#noteShutdown(link),
      onListingChanged: this.#options.onListingChanged,
      onEnd: (link, end) => this.#noteEnd(link, end),
    }
    const connection = this.#options.nextConnection()
    const link = new Link({ ...this.#options, connection, handlers }, [...this.streams.values()])
    // Spread, so sockets that were opened together are renewed at different times.
    const renew_at_ms = life_ms * (0.9 + 0.05 * random())
    return { link, age_ms: 0, ready_ms: 0, renew_at_ms }
  }

  #replace(reason: ReplaceReason): void {
    this.#replace_reason = reason
    const { url, log } = this.#options
    if (this.#current === undefined || this.#successor !== undefined) return
    if (this.#replace_pause_ms > 0) return
    const wait_ms = this.#takeAttempt()
    if (wait_ms > 0) {
      this.#replace_pause_ms = wait_ms
      return
    }
    this.#successor = this.#open()
    this.#probe = undefined
    this.#successor.link.trackIds(true)
    this.#current.link.trackIds(true)
    log.info(
      { code: 'socket_replacing', url, reason, connection: this.#successor.link.connection },
      'Opening a new socket before closing the old one.',
    )
  }

  /** Ends a replacement once the new socket has proven itself or has failed. */
  #tryPromote(): void {
    const [old, successor] = [this.#current, this.#successor]
    if (old === undefined || successor === undefined || !successor.link.is_ready) return
    const { alive_window_ms, renewal_overlap_ms_max } = this.#options.settings
    const { missing, lagging } = compareSockets(old.link, successor.link, alive_window_ms)
    const is_overdue = successor.ready_ms >= renewal_overlap_ms_max
    this.#probe ??= old.link.probe()
    const { is_answered } = this.#probe
    const is_proven = missing.length === 0 && lagging.length === 0 && is_answered
    if (is_proven || (is_overdue && missing.length === 0)) {
      return this.#promote(successor, new Set(is_answered ? lagging : this.streams.values()))
    }
    if (!is_overdue) return
    this.#options.log.warn(
      { code: 'successor_silent', url: this.url, ...namesOf(missing) },
      'The new socket delivers less than the old one; trying another later.',
    )
    this.#giveUpSuccessor(successor, 0)
  }

  #giveUpSuccessor(successor: Carrier, retry_after_ms: number): void {
    this.#successor = undefined
    if (this.#current !== undefined) {
      const { link } = this.#current
      link.trackIds(false)
      this.#options.onCarried(link.connection, this.#coverage.by(link))
    }
    void successor.link.close()
    this.#noteFailure(successor)
    this.#replace_pause_ms = this.#backoff(retry_after_ms)
  }

  /** `in_doubt`: streams whose old socket may have died before the new one carried them. */
  #promote(successor: Carrier, in_doubt: ReadonlySet<SocketStream>): void {
    const old = this.#current
    const heard_until = old?.link.last_frame_at
    this.#current = successor
    this.#successor = undefined
    this.#replace_reason = undefined
    successor.link.trackIds(false)
    this.#watch.restart(successor.link)
    void old?.link.close()
    this.#coverage.noteUncovered(successor.link, 'disconnect', heard_until)
    const carried = this.#coverage.by(successor.link)
    const { connection } = successor.link
    const doubtful = carried.filter((state) => in_doubt.has(state))
    if (doubtful.length < carried.length) {
      this.#options.onCarried(
        connection,
        carried.filter((state) => !in_doubt.has(state)),
      )
    }
    if (doubtful.length > 0) this.#coverage.noteDoubtful(connection, doubtful, heard_until)
  }

  /**
   * The old socket has ended, perhaps before the new one was subscribed. No frame can show that.
   */
  #promoteInNeed(old: Link, successor: Carrier): void {
    const { lagging } = compareSockets(old, successor.link, this.#options.settings.alive_window_ms)
    const has_overlapped = this.#probe?.is_answered === true
    this.#promote(successor, new Set(has_overlapped ? lagging : this.streams.values()))
  }

  #noteSubscribed(link: Link, states: readonly SocketStream[]): void {
    this.#coverage.noteSubscribed(link.connection, states)
    this.#noteReady(link)
  }

  #noteRefused(link: Link, state: SocketStream, detail: string): void {
    this.#coverage.noteRefused(state, detail)
    this.#noteReady(link)
  }

  #noteReady(link: Link): void {
    if (link !== this.#current?.link || !link.is_ready) return
    const { connection } = link
    const stream_count = link.streams.size
    this.#options.log.info({ url: this.url, connection, stream_count }, 'Socket is subscribed.')
    this.#has_been_ready = true
    this.#options.onReady()
  }

  /** A successor that announces its end is useless; the next one takes over. */
  #noteShutdown(link: Link): void {
    if (link === this.#successor?.link) this.#giveUpSuccessor(this.#successor, 0)
    this.#replace('shutdown')
  }

  #noteEnd(link: Link, end: LinkEnd): void {
    const { log, url } = this.#options
    const fields = { code: 'socket_ended', url, connection: link.connection, detail: end.detail }
    if (link === this.#successor?.link) {
      log.warn(fields, 'The new socket ended before it took over; trying another later.')
      this.#giveUpSuccessor(this.#successor, end.retry_after_ms)
    } else if (link === this.#current?.link) {
      log.warn(fields, 'Socket ended; reconnecting.')
      this.#noteFailure(this.#current)
      if (this.#successor !== undefined) return this.#promoteInNeed(link, this.#successor)
      this.#current = undefined
      this.#replace_reason = undefined
      this.#coverage.noteUncovered(undefined, 'disconnect', link.last_frame_at)
      this.#connectLater(this.#backoff(end.retry_after_ms))
    }
  }

  #noteFailure(carrier: Carrier): void {
    const was_healthy = carrier.ready_ms >= this.#options.settings.healthy_after_ms
    this.#failure_count = was_healthy ? 0 : this.#failure_count + 1
  }

  #backoff(retry_after_ms: number): number {
    const { settings, random } = this.#options
    return Math.max(retry_after_ms, backoffMs(this.#failure_count, settings, random))
  }

  #listenForSilence(link: Link, elapsed_ms: number): void {
    const suspects = this.#watch.look(link, elapsed_ms)
    if (suspects.length === 0) return
    this.#options.log.warn(
      { code: 'feed_silent', url: this.url, connection: link.connection, ...namesOf(suspects) },
      'Streams are acknowledged but silent; replacing their socket.',
    )
    this.#coverage.noteSilent(suspects)
    this.#replace('silence')
  }
}
