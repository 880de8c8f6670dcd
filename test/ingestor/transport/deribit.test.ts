/** What only Deribit needs: cadence, heartbeats, and handling of throttling. */
import { Writable } from 'node:stream'
import { pino } from 'pino'
import { afterEach, expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { startExchange, type ExchangeServer } from '../../../infra/exchange/server.ts'
import type { ExchangeAdapter } from '../../../ingestor/exchanges/adapter.ts'
import { deribit } from '../../../ingestor/exchanges/deribit/adapter.ts'
import {
  createTransport,
  type Transport,
  type TransportOptions,
} from '../../../ingestor/transport/transport.ts'
import { until } from './harness.ts'

const BTC = 'deribit_price_index.btc_usd'
const ETH = 'deribit_price_index.eth_usd'

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop()
})

async function simulated(): Promise<ExchangeServer> {
  const exchange = await startExchange({
    port: 0,
    source: { kind: 'sim', seed: 7, symbols: 20, events_per_s: 50 },
  })
  stops.push(() => exchange.stop())
  return exchange
}

interface Run {
  readonly transport: Transport
  readonly losses: readonly string[]
}

function listen(
  exchange: ExchangeServer,
  symbols: readonly string[],
  options: Partial<TransportOptions> = {},
): Run {
  const losses: string[] = []
  const transport = createTransport({
    adapter: deribit,
    ws_url: exchange.ws_url,
    symbols,
    choice: { channels: ['prices'], trade_stream: 'aggTrade' },
    log: silentLogger,
    settings: { tick_ms: 50, backoff_base_ms: 20 },
    onFrame: () => undefined,
    onLost: (cause, streams) => losses.push(`${cause} ${streams.map((one) => one.name).join(' ')}`),
    ...options,
  })
  stops.push(() => transport.stop())
  return { transport, losses }
}

/** Deribit's adapter with the given changes. */
const changed = (changes: Partial<ExchangeAdapter>): ExchangeAdapter => ({ ...deribit, ...changes })

test('a stream with a cadence that skips a few beats is an alarm at once, and alone', async () => {
  const exchange = await simulated()
  // Three seconds instead of thirty, for the one that has a cadence.
  const adapter = changed({
    groups: (...args) =>
      deribit.groups(...args).map((group) => ({
        ...group,
        streams: group.streams.map((stream) =>
          stream.name === BTC
            ? { ...stream, silence_s_max: 3 }
            : { name: ETH, symbol: 'eth_usd', channel: 'prices' },
        ),
      })),
  })
  const { transport, losses } = listen(exchange, ['btc_usd', 'eth_usd'], { adapter })
  await transport.start()
  await until('both deliver', () =>
    transport.status().streams.every((stream) => stream.frame_count > 0),
  )
  exchange.setFaults({ faults: [{ kind: 'silence' }] })
  await until('the alarm', () => losses.length > 0)
  expect(losses).toEqual([`silence ${BTC}`])
  exchange.setFaults({ faults: [] })
  await until(
    'one socket, live',
    () => transport.status().state === 'live' && transport.status().sockets.length === 1,
  )
  expect(losses).toEqual([`silence ${BTC}`])
})

test('an index that does not exist is refused alone', async () => {
  const exchange = await simulated()
  const { transport } = listen(exchange, ['btc_usd', 'nope_usd'])
  await transport.start()
  const refusals = transport.status().streams.map(({ symbol, refusal }) => [symbol, refusal])
  expect(refusals).toEqual([
    ['btc_usd', null],
    ['nope_usd', 'left out of the acknowledgement'],
  ])
})

test('a throttled socket ends, waits, and loses no stream', async () => {
  const exchange = await simulated()
  const lines: { code?: string; detail?: string }[] = []
  const sink = new Writable({
    write(chunk, _encoding, done) {
      lines.push(JSON.parse(String(chunk)) as { code?: string; detail?: string })
      done()
    },
  })
  const adapter = changed({
    limits: { ...deribit.limits, streams_per_subscribe_max: 1, messages_per_second_max: 500 },
  })
  const names = [
    'btc',
    'eth',
    'sol',
    'xrp',
    'doge',
    'bnb',
    'sui',
    '1000pepe',
    'ada',
    'link',
    'avax',
    'ltc',
    'bch',
    'trx',
  ]
  const symbols = names.map((name) => `${name}_usd`)
  const { transport } = listen(exchange, symbols, { adapter, log: pino({ level: 'warn' }, sink) })
  transport.start().catch(() => undefined)
  const ended = () => lines.find((line) => line.code === 'socket_ended')
  await until('the socket ended', () => ended() !== undefined)
  expect(ended()?.detail).toContain('rejected by the exchange: 10028: too_many_requests')
  expect(transport.status().streams.filter((stream) => stream.refusal !== null)).toEqual([])
  expect(transport.status().sockets).toEqual([])
})
