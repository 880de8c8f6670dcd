/** Keeps the clients, and answers their requests within the limits. */
import { BarSubscription } from './clusters/bar-subscription.ts'
import type { ClusterView } from './clusters/cluster-view.ts'
import type { ClusterViews } from './clusters/cluster-views.ts'
import type { LiveConfig } from './config.ts'
import type { LiveCounts } from './counts.ts'
import type { Cursor } from './cursor.ts'
import { Fault, type FaultCode } from './fault.ts'
import type { LiveStream } from './live-stream.ts'
import type { Outlet } from './outlet.ts'
import { idIn, MESSAGE_BYTES_MAX, parseRequest, type StreamsWanted } from './protocol.ts'
import type { Resumer } from './resume.ts'
import { type Queues, Session, Subscription } from './session.ts'
import type { Streams } from './streams.ts'
import type { ListedSymbol, SymbolList } from './symbol-list.ts'

export interface HubOptions {
  readonly epoch: string
  readonly config: Pick<LiveConfig, 'limits' | 'heartbeat_ms'>
  readonly streams: Streams
  readonly clusters: ClusterViews
  readonly symbols: SymbolList
  readonly resumer: Resumer
  readonly counts: LiveCounts
}

const RATE_WINDOW_MS = 10_000
/** Clients get their heartbeats in turn: all at once would delay what others wait for. */
const BEAT_PARTS = 50

export class Hub {
  readonly sessions = new Set<Session>()
  readonly #options: HubOptions
  readonly #queues: Queues
  readonly #by_token = new Map<string, number>()
  readonly #heartbeat: NodeJS.Timeout
  #is_draining = false
  #beat_count = 0
  #opened_count = 0
  readonly #beats_of = new WeakMap<Session, number>()

  constructor(options: HubOptions) {
    this.#options = options
    this.#queues = { waiting_count: 0, bytes_max: options.config.limits.queues_bytes_max }
    const every_ms = options.config.heartbeat_ms / BEAT_PARTS
    this.#heartbeat = setInterval(() => this.#beat(), every_ms).unref()
  }

  get epoch(): string {
    return this.#options.epoch
  }

  /** Throws a Fault if there are too many clients. Call before the connection is accepted. */
  requireRoom(token_id: string | undefined): void {
    const { clients_max, clients_per_token_max } = this.#options.config.limits
    if (this.#is_draining) throw new Fault('draining', 'The server is shutting down.')
    if (this.sessions.size >= clients_max) {
      throw new Fault('too_many_clients', `At most ${clients_max} clients can be connected.`)
    }
    if (token_id === undefined) return
    if ((this.#by_token.get(token_id) ?? 0) < clients_per_token_max) return
    throw new Fault(
      'too_many_clients',
      `At most ${clients_per_token_max} clients can be connected with one token.`,
    )
  }

  open(outlet: Outlet, token_id: string | undefined): Session {
    const { epoch, config, counts } = this.#options
    const count = (by: 1 | -1): void => {
      if (token_id === undefined) return
      const left = (this.#by_token.get(token_id) ?? 0) + by
      if (left === 0) this.#by_token.delete(token_id)
      else this.#by_token.set(token_id, left)
    }
    const session = new Session({
      epoch,
      outlet,
      counts,
      queue_bytes_max: config.limits.queue_bytes_max,
      queues: this.#queues,
      onClosed: (closed) => {
        if (this.sessions.delete(closed)) count(-1)
      },
    })
    this.sessions.add(session)
    this.#beats_of.set(session, this.#opened_count++ % BEAT_PARTS)
    counts.connections[outlet.kind]++
    count(1)
    return session
  }

  /** Answers a client's messages. `bytes` is the size of one. */
  reader(session: Session): (text: string, bytes: number) => void {
    const { messages_max } = this.#options.config.limits
    let window_at = performance.now()
    let message_count = 0
    return (text, bytes) => {
      if (!session.is_open) return
      const now = performance.now()
      if (now - window_at > RATE_WINDOW_MS) [window_at, message_count] = [now, 0]
      if (++message_count > messages_max) {
        const detail = `At most ${messages_max} messages are read in ten seconds.`
        this.#count('too_many_messages')
        return session.close('bad_client', detail, 'too_many_messages')
      }
      if (bytes > MESSAGE_BYTES_MAX) {
        const detail = `A message may have ${MESSAGE_BYTES_MAX} bytes; this one has ${bytes}.`
        this.#count('message_too_large')
        return session.close('message_too_large', detail, 'message_too_large')
      }
      this.#answer(session, text)
    }
  }

  /** The requested streams, each with its symbol. Throws a Fault. */
  find({ channels, symbols, exchange, bars }: StreamsWanted): readonly Found[] {
    return symbols.flatMap((symbol) => {
      const listed = this.#options.symbols.choose(symbol, exchange)
      return channels.map((channel): Found => {
        const name = { channel, exchange: listed.exchange, symbol: listed.symbol }
        if (channel !== 'clusters') {
          return { kind: 'rows', stream: this.#options.streams.of(name), listed }
        }
        const { interval, bin, threshold } = bars
        const stream = this.#options.clusters.of({ ...name, interval, bin })
        return { kind: 'bars', stream, threshold }
      })
    })
  }

  /** Begins all subscriptions, or throws a Fault and begins none. */
  subscribe(session: Session, found: readonly Found[], cursors: readonly (Cursor | undefined)[]) {
    const { resumer, config } = this.#options
    const added = found.filter(({ stream }) => !session.subscriptions.has(stream.key))
    const { subscriptions_max } = config.limits
    if (session.subscriptions.size + added.length > subscriptions_max) {
      const detail = `A client can have ${subscriptions_max} subscriptions.`
      throw new Fault('too_many_subscriptions', detail)
    }
    for (const [index, { stream }] of found.entries()) {
      const cursor = cursors[index]
      if (cursor !== undefined) resumer.check(stream, cursor)
    }
    for (const [index, one] of found.entries()) {
      const { stream } = one
      const cursor = cursors[index]
      session.subscriptions.get(stream.key)?.end()
      const from = cursor?.seq ?? stream.newest_seq
      if (one.kind === 'bars') {
        const subscription = new BarSubscription(session, one.stream, one.threshold, from)
        session.subscriptions.set(stream.key, subscription)
        void resumer.beginBars(session, subscription, cursor)
      } else {
        const subscription = new Subscription(session, one.stream, from)
        session.subscriptions.set(stream.key, subscription)
        void resumer.begin(session, subscription, one.listed, cursor)
      }
    }
  }

  /** Sends every client its cursors, and waits up to `limit_ms` until all are gone. */
  async drain(limit_ms: number): Promise<void> {
    this.#is_draining = true
    clearInterval(this.#heartbeat)
    for (const session of this.sessions) session.close('draining')
    const until = performance.now() + limit_ms
    while (this.sessions.size > 0 && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    for (const session of this.sessions) session.outlet.destroy()
  }

  #answer(session: Session, text: string): void {
    try {
      const request = parseRequest(text)
      if (request.op === 'ping') {
        return session.say(JSON.stringify({ type: 'pong', ...idPart(request.id) }))
      }
      const found = this.find(request)
      if (request.op === 'subscribe') {
        return this.subscribe(
          session,
          found,
          found.map(() => request.resume),
        )
      }
      for (const { stream } of found) {
        session.subscriptions.get(stream.key)?.end()
        session.subscriptions.delete(stream.key)
        session.say(JSON.stringify({ type: 'unsubscribed', ...stream.name, ...idPart(request.id) }))
      }
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      this.#count(error.code)
      const { code, message } = error
      session.say(JSON.stringify({ type: 'error', code, message, ...idPart(idIn(text)) }))
    }
  }

  #count(code: FaultCode): void {
    const { faults } = this.#options.counts
    faults[code] = (faults[code] ?? 0) + 1
  }

  #beat(): void {
    const ts = new Date().toISOString()
    const part = this.#beat_count++ % BEAT_PARTS
    for (const session of this.sessions) {
      if (this.#beats_of.get(session) !== part) continue
      if (session.waits || !session.is_open || session.outlet.kind === 'poll') continue
      const { epoch } = this.#options
      session.say(JSON.stringify({ type: 'heartbeat', epoch, ts, streams: session.cursors() }))
    }
  }
}

/** A stream that a client asked for. */
export type Found =
  | { readonly kind: 'rows'; readonly stream: LiveStream; readonly listed: ListedSymbol }
  | { readonly kind: 'bars'; readonly stream: ClusterView; readonly threshold: number }

const idPart = (id: string | number | undefined): object => (id === undefined ? {} : { id })
