/** Every name that an exchange may list goes from listing to stream and back unchanged. */
import { expect, test } from 'vitest'
import { micros } from '#core/time.ts'
import type { ExchangeAdapter, StreamChoice } from '../../../ingestor/exchanges/adapter.ts'
import { binance_futures } from '../../../ingestor/exchanges/binance-futures/adapter.ts'
import { binance_spot } from '../../../ingestor/exchanges/binance-spot/adapter.ts'
import { bybit_linear } from '../../../ingestor/exchanges/bybit-linear/adapter.ts'
import { deribit } from '../../../ingestor/exchanges/deribit/adapter.ts'

const NOW = micros(1_785_000_000_123_456)
const T = 1_785_000_000_000
const CHOICE: StreamChoice = { channels: ['book_ticker', 'prices'], trade_stream: 'trade' }

const quote = { u: 7, b: '1.5', B: '1', a: '1.6', A: '2' }

const FRAMES: readonly [ExchangeAdapter, (stream: string, symbol: string) => object][] = [
  [binance_futures, (stream, s) => ({ stream, data: { e: 'bookTicker', s, T, E: T, ...quote } })],
  [binance_spot, (stream, s) => ({ stream, data: { s, ...quote } })],
  [
    bybit_linear,
    (topic, s) => {
      return {
        topic,
        type: 'snapshot',
        ts: T,
        data: { s, b: [['1.5', '1']], a: [['1.6', '2']], u: 7 },
      }
    },
  ],
  [
    deribit,
    (channel, index_name) => {
      const data = { timestamp: T, price: 4.12e-9, index_name }
      return { jsonrpc: '2.0', method: 'subscription', params: { channel, data } }
    },
  ],
]

const NAMES = [
  'BTCUSDT_260925',
  'XRPUSDT-05JUN26',
  'BRK.BUSDT',
  '币安人生USDT',
  '人生K线USDT',
  'drbfix-btc_usdc',
]

for (const [adapter, frameOf] of FRAMES) {
  for (const symbol of NAMES) {
    test(`${adapter.exchange}: ${symbol}`, () => {
      const [stream] = adapter.groups('wss://x', [symbol], CHOICE).flatMap(({ streams }) => streams)
      expect(stream).toMatchObject({ symbol })
      const frame = Buffer.from(JSON.stringify(frameOf(stream!.name, symbol)))
      expect(adapter.streamOf(frame)).toBe(stream!.name)
      expect(adapter.parse(frame, NOW, CHOICE)).toMatchObject({
        kind: 'events',
        events: [{ symbol }],
      })
      // A damaged frame is still assigned to its stream.
      const text = JSON.stringify(frameOf(stream!.name, symbol))
      const damaged = Buffer.from(text.replace(/"1\.5"|4\.12e-9/, '"x"'))
      expect(adapter.parse(damaged, NOW, CHOICE)).toMatchObject({
        kind: 'rejected',
        affected: { symbol },
      })
    })
  }
}
