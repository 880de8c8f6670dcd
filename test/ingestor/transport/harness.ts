/** A transport against the lying exchange, with timeouts in milliseconds instead of minutes. */
import { onTestFinished } from 'vitest'
import type { GapCause } from '#core/market.ts'
import { silentLogger } from '#core/node/log.ts'
import type { Micros } from '#core/time.ts'
import type { ExchangeLimits, StreamChoice } from '../../../ingestor/exchanges/adapter.ts'
import { binance_futures } from '../../../ingestor/exchanges/binance-futures/adapter.ts'
import type { TransportSettings } from '../../../ingestor/transport/settings.ts'
import { createTransport, type Transport } from '../../../ingestor/transport/transport.ts'
import { startLyingExchange, type LyingExchange } from './lying-exchange.ts'

export interface HeardFrame {
  readonly connection: number
  readonly stream: string | undefined
  readonly text: string
  readonly ts_ingest: Micros
}

export interface Loss {
  readonly cause: GapCause
  readonly streams: readonly string[]
  readonly carried_by?: number
}

export interface Rig {
  readonly exchange: LyingExchange
  readonly transport: Transport
  /** Frames of streams, without acknowledgements. */
  readonly frames: readonly HeardFrame[]
  readonly controls: readonly HeardFrame[]
  readonly losses: readonly Loss[]
  /** Of the transport, at each of the losses. */
  readonly states_when_lost: readonly string[]
  /** Rare streams that are subscribed again, in order. */
  readonly heard_again: readonly string[]
  readonly carried: readonly { readonly connection: number; readonly streams: readonly string[] }[]
}

export interface RigOptions {
  readonly symbols?: readonly string[]
  readonly choice?: StreamChoice
  readonly limits?: Partial<ExchangeLimits>
  readonly settings?: Partial<TransportSettings>
  readonly random?: () => number
  /** Called with every frame of a stream, inside the callback. */
  readonly onFrame?: (transport: Transport) => void
}

export const QUOTES: StreamChoice = { channels: ['book_ticker'], trade_stream: 'aggTrade' }
export const RAW: StreamChoice = { channels: ['book_ticker', 'trades'], trade_stream: 'trade' }

const QUICK: Partial<TransportSettings> = {
  tick_ms: 20,
  connect_timeout_ms: 60_000,
  ack_timeout_ms: 200,
  idle_ping_ms: 200,
  pong_timeout_ms: 200,
  backoff_base_ms: 10,
  backoff_cap_ms: 50,
  healthy_after_ms: 500,
  alive_window_ms: 300,
  renewal_overlap_ms_max: 600,
  // Silence is not an alarm unless a test asks for it.
  silence_ms_min: 60_000,
}

export async function createRig(options: RigOptions = {}): Promise<Rig> {
  const exchange = await startLyingExchange()
  const frames: HeardFrame[] = []
  const controls: HeardFrame[] = []
  const losses: Loss[] = []
  const states_when_lost: string[] = []
  const heard_again: string[] = []
  const carried: { connection: number; streams: readonly string[] }[] = []
  const limits = { ...binance_futures.limits, messages_per_second_max: 200, ...options.limits }
  const transport: Transport = createTransport({
    adapter: { ...binance_futures, limits },
    ws_url: exchange.ws_url,
    symbols: options.symbols ?? ['BTCUSDT', 'ETHUSDT'],
    choice: options.choice ?? QUOTES,
    log: silentLogger,
    settings: { ...QUICK, ...options.settings },
    random: options.random ?? Math.random,
    onFrame(connection, stream, frame, ts_ingest) {
      const heard = { connection, stream, text: frame.toString('utf8'), ts_ingest }
      if (stream === undefined) controls.push(heard)
      else frames.push(heard)
      if (stream !== undefined) options.onFrame?.(transport)
    },
    onLost(cause, streams, _heard_until, carried_by) {
      const names = streams.map((stream) => stream.name)
      states_when_lost.push(transport.status().state)
      losses.push({ cause, streams: names, ...(carried_by === undefined ? {} : { carried_by }) })
    },
    onHeard: (_connection, streams) => heard_again.push(...streams.map((stream) => stream.name)),
    onCarried: (connection, streams) => {
      carried.push({ connection, streams: streams.map((stream) => stream.name) })
    },
  })
  onTestFinished(async () => {
    await transport.stop()
    await exchange.stop()
  })
  return {
    exchange,
    transport,
    frames,
    controls,
    losses,
    states_when_lost,
    carried,
    heard_again,
  }
}

export async function until(what: string, is_so: () => boolean, limit_ms = 100_000): Promise<void> {
  const deadline_ms = performance.now() + limit_ms
  while (!is_so()) {
    if (performance.now() > deadline_ms) throw new Error(`Waited ${limit_ms} ms in vain: ${what}`)
    await sleep(5)
  }
}

export function sleep(duration_ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, duration_ms))
}

/** Publishes a counter on each stream every few milliseconds. `stop` returns the last count. */
export function talk(
  exchange: LyingExchange,
  streams: readonly string[],
  interval_ms = 5,
): { stop(): number } {
  let count = 0
  const timer = setInterval(() => {
    count++
    for (const stream of streams) exchange.publish(stream, payloadOf(stream, count))
  }, interval_ms)
  return {
    stop() {
      clearInterval(timer)
      return count
    },
  }
}

/** The received counters of a stream, each once, in order of first arrival. */
export function heardCounters(rig: Rig, stream: string): readonly number[] {
  const counters = rig.frames
    .filter((frame) => frame.stream === stream)
    .map((frame) => JSON.parse(frame.text) as { data: { u?: number; t?: number } })
    .map(({ data }) => data.u ?? data.t ?? 0)
  return [...new Set(counters)]
}

function payloadOf(stream: string, count: number): object {
  const [symbol = '', stream_class] = stream.split('@')
  const stamps = { s: symbol.toUpperCase(), T: Date.now(), E: Date.now() }
  if (stream_class === 'bookTicker') {
    return { e: 'bookTicker', u: count, b: '1.0', B: '1', a: '2.0', A: '1', ...stamps }
  }
  return { e: 'trade', t: count, p: '1.0', q: '1', X: 'MARKET', m: true, ...stamps }
}
