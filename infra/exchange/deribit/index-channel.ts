/** The channel deribit_price_index.{index_name}: its name and its frames. Pure. */
import type { IndexValue } from '../source.ts'
import { notification } from './json-rpc.ts'

export const INDEX_CHANNEL = 'deribit_price_index.'

export function indexPayload(name: string, { price, ts_ms }: IndexValue): string {
  const data = { timestamp: ts_ms, price, index_name: name }
  return notification('subscription', { channel: INDEX_CHANNEL + name, data })
}

/** Channel and value of an index price's frame; undefined for any other frame. */
export function readIndexFrame(
  value: Readonly<Record<string, unknown>>,
): { readonly channel: string; readonly name: string; readonly value: IndexValue } | undefined {
  const { channel, data } = (value['params'] ?? {}) as Readonly<Record<string, unknown>>
  if (typeof channel !== 'string' || !channel.startsWith(INDEX_CHANNEL)) return undefined
  const { timestamp, price } = (data ?? {}) as Readonly<Record<string, unknown>>
  const name = channel.slice(INDEX_CHANNEL.length)
  return { channel, name, value: { price: Number(price), ts_ms: Number(timestamp) } }
}
