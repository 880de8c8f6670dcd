/** The transport and the adapter together against the local exchange and its simulated market. */
import { afterEach, expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { orderOf } from '#core/market.ts'
import { micros } from '#core/time.ts'
import { startExchange, type ExchangeServer } from '../../../infra/exchange/server.ts'
import type { ExchangeAdapter, StreamChoice } from '../../../ingestor/exchanges/adapter.ts'
import { binance_futures } from '../../../ingestor/exchanges/binance-futures/adapter.ts'
import { createClock } from '../../../ingestor/transport/clock.ts'
import { createRestClient } from '../../../ingestor/transport/rest-client.ts'
import type { TransportSettings } from '../../../ingestor/transport/settings.ts'
import { createTransport, type Transport } from '../../../ingestor/transport/transport.ts'
import { until } from './harness.ts'

const CHOICE: StreamChoice = { channels: ['book_ticker', 'trades'], trade_stream: 'aggTrade' }

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop()
})

interface Run {
  readonly exchange: ExchangeServer
  readonly transport: Transport
  /** Ids by stream, duplicates included. */
  readonly ids: ReadonlyMap<string, readonly number[]>
  readonly rejected: readonly string[]
  readonly losses: readonly { readonly cause: string; readonly streams: readonly string[] }[]
}

async function run(
  adapter: ExchangeAdapter = binance_futures,
  settings: Partial<TransportSettings> = {},
): Promise<Run> {
  const exchange = await startExchange({
    port: 0,
    source: { kind: 'sim', seed: 7, symbols: 20, events_per_s: 2_000 },
  })
  stops.push(() => exchange.stop())
  const symbols = await listedSymbols(exchange.url)
  const ids = new Map<string, number[]>()
  const rejected: string[] = []
  const losses: { cause: string; streams: readonly string[] }[] = []
  const transport = createTransport({
    adapter,
    ws_url: exchange.ws_url,
    symbols,
    choice: CHOICE,
    log: silentLogger,
    settings: { tick_ms: 50, backoff_base_ms: 20, ...settings },
    onFrame(_connection, stream, frame, ts_ingest) {
      const parsed = adapter.parse(frame, ts_ingest, CHOICE)
      if (parsed.kind === 'rejected') rejected.push(parsed.detail)
      if (parsed.kind !== 'events' || stream === undefined) return
      for (const event of parsed.events) {
        const known = ids.get(stream) ?? []
        known.push(orderOf(event))
        ids.set(stream, known)
      }
    },
    onLost: (cause, streams) =>
      losses.push({ cause, streams: streams.map((stream) => stream.name) }),
  })
  stops.push(() => transport.stop())
  await transport.start()
  return { exchange, transport, ids, rejected, losses }
}

async function listedSymbols(base_url: string): Promise<readonly string[]> {
  const { rest_limits: limits, instruments_path } = binance_futures
  const rest = createRestClient({ clock: createClock(), base_url, limits, log: silentLogger })
  const { path, body, ts_ingest } = await rest.get({ path: instruments_path, weight: 1 })
  rest.stop()
  expect(ts_ingest).toBeGreaterThan(micros(1_700_000_000_000_000))
  expect(binance_futures.parseRest(path, body, ts_ingest, CHOICE).kind).toBe('ignored')
  return binance_futures.parseInstruments(body).instruments.map((instrument) => instrument.symbol)
}

/**
 * Aggregate trade ids are consecutive, so an id missing between the first and the last was lost.
 */
function lostTrades(ids: Run['ids']): number {
  let lost_count = 0
  for (const [stream, heard] of ids) {
    if (!stream.endsWith('@aggTrade')) continue
    const sorted = [...new Set(heard)].toSorted((a, b) => a - b)
    lost_count += sorted.at(-1)! - sorted[0]! + 1 - sorted.length
  }
  return lost_count
}

test('twenty symbols, an announced shutdown in the middle: no trade is lost', async () => {
  const { exchange, transport, ids, rejected, losses } = await run()
  await until('all forty streams', () => ids.size === 40)
  const old_sockets = transport.status().sockets.map((socket) => socket.connection)
  // Long notice, because a machine under load is slow to switch.
  exchange.setFaults({ actions: [{ kind: 'server_shutdown', close_after_ms: 600_000 }] })
  await until('new sockets only', () => {
    const { sockets, state } = transport.status()
    return state === 'live' && sockets.every((socket) => !old_sockets.includes(socket.connection))
  })
  await until(
    'the old sockets are closed',
    () => exchange.status().socket_count === old_sockets.length,
  )
  const heard = new Map([...ids].map(([stream, known]) => [stream, known.length]))
  const goesOn = ([stream, known]: [string, readonly number[]]): boolean =>
    known.length > heard.get(stream)!
  await until('every stream continues', () => [...ids].every(goesOn))
  expect(transport.status().state).toBe('live')
  expect(losses).toEqual([])
  expect(rejected).toEqual([])
  expect(lostTrades(ids)).toBe(0)
  const undelivered = exchange.ledger().streams.filter((stream) => stream.undelivered_count > 0)
  expect(undelivered).toEqual([])
})

test('every socket cut at once: every stream is lost once and comes back', async () => {
  const { exchange, transport, ids, losses } = await run()
  await until('frames', () => ids.size > 20)
  exchange.setFaults({ actions: [{ kind: 'close_all' }] })
  await until('both marks', () => losses.length === 2)
  await until('live', () => transport.status().state === 'live')
  expect(losses.map((mark) => mark.cause)).toEqual(['disconnect', 'disconnect'])
  expect(new Set(losses.flatMap((mark) => mark.streams)).size).toBe(40)
})

test('trades on the wrong endpoint are acknowledged, never delivered, and noticed', async () => {
  const misrouted: ExchangeAdapter = {
    ...binance_futures,
    groups(ws_url, symbols, choice) {
      const groups = binance_futures.groups(ws_url, symbols, choice)
      return [{ url: groups[0]!.url, streams: groups.flatMap((group) => group.streams) }]
    },
  }
  const { transport, ids, losses } = await run(misrouted, { first_frame_ms: 1_000 })
  await until('the mark', () => losses.length > 0)
  expect(losses[0]!.cause).toBe('silence')
  expect(losses[0]!.streams.length).toBe(20)
  expect(losses[0]!.streams.every((stream) => stream.endsWith('@aggTrade'))).toBe(true)
  expect(transport.status().state).toBe('degraded')
  expect([...ids.keys()].every((stream) => stream.endsWith('@bookTicker'))).toBe(true)
})
