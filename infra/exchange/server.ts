/**
 * An exchange server on this machine. It speaks Binance's protocol (USD-M or spot: WebSocket paths,
 * REST with weights), Deribit's for index prices and Bybit's for linear contracts, and has a
 * control API for tests. Its data come from a simulated market or a recording. This file assembles
 * it.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { OperatorError } from '#core/errors.ts'
import { silentLogger, type Logger } from '#core/node/log.ts'
import { BYBIT_PATH, type BybitOptions, openBybitSession } from './bybit/session.ts'
import { DERIBIT_PATH, type DeribitOptions, openDeribitSession } from './deribit/session.ts'
import { FaultDesk } from './faults/desk.ts'
import {
  parseFaultRequest,
  type FaultAction,
  type FaultRequest,
  type FaultRequestInput,
} from './faults/spec.ts'
import { createRequestHandler } from './http.ts'
import type { Ledger } from './ledger.ts'
import { acceptSockets, type SocketHandlers } from './protocol/handshake.ts'
import { type Client, Hub, type SlowClientRule } from './protocol/hub.ts'
import type { SessionLimits } from './protocol/session.ts'
import type { WeightLimits } from './protocol/weights.ts'
import { createReplay, type ReplayOptions } from './replay/replay.ts'
import { createRandom } from './sim/random.ts'
import { createSimulation, type SimulationOptions } from './simulation.ts'
import type { Source, SourceStatus } from './source.ts'
import { TruthLog } from './truth-log.ts'
import { type Venue, type VenueName, VENUES } from './venue.ts'

export interface ExchangeOptions {
  /** 0: any free port. */
  readonly port: number
  /** Default: the venue of the recordings, or USD-M for a simulation. */
  readonly venue?: VenueName
  readonly source:
    | ({ readonly kind: 'sim' } & SimulationOptions)
    | ({ readonly kind: 'replay' } & ReplayOptions)
  readonly limits?: Partial<ExchangeLimits>
  /** By default a simulation disconnects slow clients, and a replay waits for them. */
  readonly slow_client?: SlowClientRule['kind']
  /** Seed of random faults. */
  readonly fault_seed?: number
  /** File that logs every frame (truth-log.ts). */
  readonly truth_file?: string
  readonly log?: Logger
}

export type ExchangeLimits = SessionLimits &
  WeightLimits &
  Pick<DeribitOptions, 'heartbeat_second_ms'> &
  Pick<BybitOptions, 'bybit_quiet_limit_ms'>

/** The limits of USD-M, Deribit and Bybit. */
export const DEFAULT_LIMITS: ExchangeLimits = {
  ...VENUES['binance-futures'].limits,
  heartbeat_second_ms: 1_000,
  bybit_quiet_limit_ms: 600_000,
}

export interface ExchangeStatus extends SourceStatus {
  readonly socket_count: number
  readonly faults: readonly { readonly kind: string; readonly struck_count: number }[]
}

export interface ExchangeServer {
  /** `http://127.0.0.1:PORT`: REST and control. */
  readonly url: string
  /** `ws://127.0.0.1:PORT`: sockets. */
  readonly ws_url: string
  readonly port: number
  ledger(): Ledger
  status(): ExchangeStatus
  /** Starts the replay. Throws if there is no recording, or if it was started before. */
  startReplay(): void
  /** Same as POST /_exchange/faults. */
  setFaults(request: FaultRequestInput): void
  /**
   * Resolves when every client has read everything sent until now. Does not wait for frames that a
   * fault holds back.
   */
  settled(): Promise<void>
  stop(): Promise<void>
}

/** Unsent bytes per client above which a simulation disconnects it and a replay waits. */
const SLOW_BYTES = { cut: 16 * 1024 * 1024, wait: 1024 * 1024 } as const
/** Room for 1,024 stream names in a URL. */
const HEADER_BYTES_MAX = 128 * 1024
const NO_SNAPSHOTS = { recorded_count: 0, given_count: 0, symbols_left_count: 0 } as const

export async function startExchange(options: ExchangeOptions): Promise<ExchangeServer> {
  const { source: chosen, log = silentLogger } = options
  const slow_kind = options.slow_client ?? (chosen.kind === 'sim' ? 'cut' : 'wait')
  const faults = new FaultDesk(createRandom(options.fault_seed ?? 1), () => performance.now())
  const truth = options.truth_file === undefined ? undefined : new TruthLog(options.truth_file)
  const slow = { kind: slow_kind, limit_bytes: SLOW_BYTES[slow_kind] }
  const hub = new Hub(faults, slow, log, truth)
  const { source, venue } = await openSource(options, hub, log)
  const limits = { ...DEFAULT_LIMITS, ...venue.limits, ...options.limits }

  const status = (): ExchangeStatus => ({
    ...source.status(),
    socket_count: hub.clients.size,
    faults: faults.report(),
  })
  const startReplay = (): void => {
    const { source: kind, state } = source.status()
    if (kind !== 'replay' || state !== 'waiting') {
      throw new OperatorError(
        'replay_not_possible',
        `Cannot start a replay: the source (${kind}) is ${state}.`,
      )
    }
    source.start()
  }
  const applyFaults = (request: FaultRequest): void => {
    if (request.faults !== undefined) faults.set(request.faults)
    for (const action of request.actions ?? []) act(action, hub, source)
  }
  const server = createServer({ maxHeaderSize: HEADER_BYTES_MAX })
  const ledger = (): Ledger => ({
    ...hub.ledger(),
    snapshots: source.snapshots?.() ?? NO_SNAPSHOTS,
  })
  const controls = { ledger, status, startReplay, applyFaults }
  server.on('request', createRequestHandler(source, venue, faults, limits, controls, Date.now))
  const session_options = { ...limits, refusesStream: (name: string) => faults.refusesStream(name) }
  const socket_handlers: SocketHandlers = {
    [DERIBIT_PATH]: (ws, socket, closes_after_ms) =>
      openDeribitSession(ws, socket, hub, source, { ...session_options, closes_after_ms }),
    [BYBIT_PATH]: (ws, socket, closes_after_ms) =>
      openBybitSession(ws, socket, hub, source, { ...session_options, closes_after_ms }),
  }
  acceptSockets(server, hub, source, faults, limits, socket_handlers, venue.parseSocketPath)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, '127.0.0.1', resolve)
  })
  if (chosen.kind === 'sim') source.start()

  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    ws_url: `ws://127.0.0.1:${port}`,
    port,
    ledger,
    status,
    startReplay,
    setFaults: (request) => applyFaults(parseFaultRequest(request)),
    settled: () => hub.settled(),
    async stop() {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
      const stopped = source.stop()
      // A replay may be waiting for a client that does not read; disconnecting it ends the wait.
      for (const client of hub.clients) client.terminate()
      server.closeAllConnections()
      await Promise.all([stopped, closed])
      truth?.close()
    },
  }
}

async function openSource(
  { source: chosen, venue: wanted }: ExchangeOptions,
  hub: Hub,
  log: Logger,
): Promise<{ readonly source: Source; readonly venue: Venue }> {
  if (chosen.kind === 'sim') {
    const venue = VENUES[wanted ?? 'binance-futures']
    return { source: createSimulation({ ...chosen, style: venue.style }, hub), venue }
  }
  const { source, venue } = await createReplay(chosen, wanted, hub, log)
  return { source, venue: VENUES[venue] }
}

function act(action: FaultAction, hub: Hub, source: Source): void {
  const clients = [...hub.clients]
  switch (action.kind) {
    case 'close_all':
      for (const client of clients) client.terminate()
      return
    case 'roll_call':
      if (source.rollCall === undefined) {
        throw new OperatorError('bad_faults', 'A recording cannot do a roll call.')
      }
      return source.rollCall()
    case 'listing':
      if (source.changeListing === undefined) {
        throw new OperatorError('bad_faults', "A recording's listing cannot change.")
      }
      return source.changeListing(action)
    case 'halt':
      void source.stop()
      return
    case 'server_shutdown':
      announceShutdown(clients, action.close_after_ms)
  }
}

function announceShutdown(clients: readonly Client[], close_after_ms: number): void {
  const event = `{"e":"serverShutdown","E":${Date.now()}}`
  for (const client of clients) {
    const frame = client.shutdownFrame(event)
    if (frame === undefined) continue
    client.outbox.text(frame)
    client.outbox.flush()
  }
  setTimeout(() => {
    for (const client of clients) client.terminate()
  }, close_after_ms).unref()
}
