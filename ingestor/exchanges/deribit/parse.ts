/** Parses one WebSocket frame of Deribit into index prices. */
import { isUtf8 } from 'node:buffer'
import type { IndexPrice } from '#core/market.ts'
import type { Micros } from '#core/time.ts'
import type { Parsed, StreamChoice } from '../adapter.ts'
import {
  isFields,
  orRejected,
  parseJsonText,
  priceField,
  Rejection,
  symbolField,
  timeField,
  type Fields,
} from '../fields.ts'
import type { WireIndexPrice, WireSubscription } from './wire.ts'

export const EXCHANGE = 'deribit'
export const INDEX_CHANNEL = 'deribit_price_index.'

export function parseFrame(frame: Buffer, ts_ingest: Micros, choice: StreamChoice): Parsed {
  return orRejected(() => {
    if (!isUtf8(frame)) throw new Rejection('not_json', 'not UTF-8')
    return read(parseJsonText(frame.toString('utf8')), ts_ingest, choice)
  })
}

/** The channel of a subscription's frame; undefined for every other frame. */
export function channelOf(value: unknown): string | undefined {
  if (!isFields(value) || value['method'] !== 'subscription') return undefined
  const params = value['params']
  const channel = isFields(params) ? params[field<WireSubscription>('channel')] : undefined
  return typeof channel === 'string' ? channel : undefined
}

/** Names a field of a wire type, so a misspelt name does not compile. */
export function field<Wire>(name: keyof Wire & string): string {
  return name
}

function read(value: unknown, ts_ingest: Micros, choice: StreamChoice): Parsed {
  if (!isFields(value) || value['jsonrpc'] !== '2.0') {
    throw new Rejection('unknown_shape', 'not a JSON-RPC 2.0 object')
  }
  if (value['method'] === 'heartbeat' || 'result' in value || 'error' in value) {
    return { kind: 'control' }
  }
  const channel = channelOf(value)
  if (channel === undefined) throw new Rejection('unknown_shape', 'neither an answer nor a channel')
  if (!channel.startsWith(INDEX_CHANNEL) || !choice.channels.includes('prices')) {
    return { kind: 'ignored', stream_class: channel.split('.', 1)[0]! }
  }
  const data = (value['params'] as Fields)[field<WireSubscription>('data')]
  if (!isFields(data)) throw new Rejection('bad_field', 'data: expected an object')
  return { kind: 'events', events: [readIndexPrice(data, channel, ts_ingest)] }
}

function readIndexPrice(wire: Fields, channel: string, ts_ingest: Micros): IndexPrice {
  const name = field<WireIndexPrice>
  const symbol = symbolField(wire, name('index_name'))
  if (channel !== INDEX_CHANNEL + symbol) {
    throw new Rejection('bad_symbol', `index_name: ${symbol} on channel ${channel}`)
  }
  return {
    kind: 'index_price',
    exchange: EXCHANGE,
    symbol,
    ts_exchange: timeField(wire, name('timestamp')),
    ts_ingest,
    price: priceField(wire, name('price')),
  }
}
