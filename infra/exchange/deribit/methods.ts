/** The public methods with the same result over the socket and over REST. */
import type { IndexSource } from '../source.ts'
import { invalidParams, RpcError } from './json-rpc.ts'

export interface MethodContext {
  readonly indexes: IndexSource
  nowMs(): number
}

/** The result of a method; undefined if the method is not here. */
export function resultOf(
  method: string,
  params: Readonly<Record<string, unknown>>,
  { indexes, nowMs }: MethodContext,
): unknown {
  switch (method) {
    case 'public/test':
      return { version: '1.2.26' }
    case 'public/get_time':
      return nowMs()
    case 'public/get_index_price_names':
      return indexes.names()
    case 'public/get_index_price':
      return indexPrice(params['index_name'], indexes)
  }
  return undefined
}

function indexPrice(name: unknown, indexes: IndexSource): unknown {
  if (typeof name !== 'string' || !indexes.names().includes(name)) {
    throw invalidParams('index_name', 'unknown index name')
  }
  const value = indexes.latest(name)
  if (value === undefined) throw new RpcError(13503, 'unavailable')
  return { index_price: value.price, estimated_delivery_price: value.price }
}
