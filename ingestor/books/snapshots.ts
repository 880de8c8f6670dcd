/** Chooses how to request snapshots: over REST, or by a second subscription. */
import type { Logger } from '#core/node/log.ts'
import type { ExchangeAdapter, StreamChoice } from '../exchanges/adapter.ts'
import type { Clock } from '../transport/clock.ts'
import { listenOnce } from '../transport/listen-once.ts'
import type { RestAnswer, RestClient } from '../transport/rest-client.ts'
import type { StreamStatus, TransportOptions } from '../transport/transport.ts'
import { createSnapshotQueue, type SnapshotQueue } from './snapshot-queue.ts'
import { createStreamSnapshots } from './stream-snapshots.ts'

export interface SnapshotsOptions {
  readonly adapter: ExchangeAdapter
  readonly choice: StreamChoice
  readonly config: {
    readonly ws_url: string
    /** Seconds after which a new snapshot is requested; 0: only when the book is lost. */
    readonly depth_snapshot_s: number
  }
  readonly rest: RestClient
  readonly clock: Clock
  readonly log: Logger
  /** The streams of the sockets that record. */
  heardStreams(): readonly StreamStatus[]
  nextConnection(): number
  /** Called before a request for the symbol's book is sent. */
  noteAsked(symbol: string): void
  readonly onFrame: TransportOptions['onFrame']
  /** Appends an answer to the tape; false if the tape has no room. */
  append(answer: RestAnswer): boolean
}

export function createSnapshots(options: SnapshotsOptions): SnapshotQueue {
  const { adapter, config, rest, log } = options
  const { depthSnapshot } = adapter
  if (depthSnapshot === undefined) return overSockets(options)
  return createSnapshotQueue({
    depthSnapshot,
    rest,
    repeat_s: config.depth_snapshot_s,
    onAsked: (symbol) => options.noteAsked(symbol),
    append: (answer) => options.append(answer),
    random: Math.random,
    log,
  })
}

function overSockets(options: SnapshotsOptions): SnapshotQueue {
  const { adapter, config, clock, log, nextConnection, onFrame } = options
  const choice: StreamChoice = { ...options.choice, channels: ['depth_events'] }
  return createStreamSnapshots({
    repeat_s: adapter.channels.includes('depth_events') ? config.depth_snapshot_s : 0,
    heardSymbols: () =>
      options
        .heardStreams()
        .filter((stream) => stream.channel === 'depth_events')
        .map((stream) => stream.symbol),
    listen: (symbols, signal) => {
      const { ws_url } = config
      const shared = { adapter, ws_url, choice, clock, log, nextConnection, onFrame }
      return listenOnce({ ...shared, symbols }, signal)
    },
    random: Math.random,
    log,
  })
}
