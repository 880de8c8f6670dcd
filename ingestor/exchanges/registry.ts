/** Every exchange this build can record. Adding one is its folder and a line here. */
import { OperatorError } from '#core/errors.ts'
import type { Exchange } from '#core/symbols.ts'
import type { ExchangeAdapter } from './adapter.ts'
import { binance_futures } from './binance-futures/adapter.ts'

const BY_EXCHANGE: { readonly [name in Exchange]: ExchangeAdapter } = {
  'binance-futures': binance_futures,
}

export const ADAPTERS: readonly ExchangeAdapter[] = Object.values(BY_EXCHANGE)

const BY_CODE = new Map(ADAPTERS.map((adapter) => [adapter.tape_code, adapter]))

export function adapterFor(exchange: Exchange): ExchangeAdapter {
  return BY_EXCHANGE[exchange]
}

/** The adapter whose frames a tape record holds. */
export function adapterByCode(tape_code: number): ExchangeAdapter {
  const adapter = BY_CODE.get(tape_code)
  if (adapter !== undefined) return adapter
  const known = [...BY_CODE.keys()].join(', ')
  throw new OperatorError(
    'unknown_exchange_code',
    `The tape holds a record of exchange number ${tape_code}; this build knows ${known}.`,
    { hint: 'The tape was written by a newer build: run that build, or a newer one.' },
  )
}
