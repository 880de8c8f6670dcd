/** Every exchange that this build can record. To add one, add its folder and a line here. */
import { OperatorError } from '#core/errors.ts'
import type { Exchange } from '#core/symbols.ts'
import type { TimeUnit } from '#core/time-source.ts'
import type { ExchangeAdapter } from './adapter.ts'
import { binance_futures } from './binance-futures/adapter.ts'
import { binance_spot } from './binance-spot/adapter.ts'
import { bybit_linear } from './bybit-linear/adapter.ts'
import { deribit } from './deribit/adapter.ts'

export const ADAPTERS: readonly ExchangeAdapter[] = [
  binance_futures,
  binance_spot,
  deribit,
  bybit_linear,
]

const BY_EXCHANGE = new Map(ADAPTERS.map((adapter) => [adapter.exchange, adapter]))
const BY_CODE = new Map(
  ADAPTERS.flatMap((adapter) => {
    const { in_microseconds = adapter } = adapter
    return [adapter, in_microseconds].map((one) => [one.tape_code, one])
  }),
)

/** Throws if the exchange is unknown, or does not offer times in `unit`. */
export function adapterFor(exchange: Exchange, unit: TimeUnit = 'millisecond'): ExchangeAdapter {
  const known_adapter = BY_EXCHANGE.get(exchange)
  const adapter = unit === 'millisecond' ? known_adapter : known_adapter?.in_microseconds
  if (adapter !== undefined) return adapter
  if (known_adapter !== undefined) {
    throw new OperatorError('no_such_time_unit', `${exchange} has no times in ${unit}s.`, {
      hint: 'Use milliseconds.',
    })
  }
  const known = [...BY_EXCHANGE.keys()].join(', ')
  throw new OperatorError('unknown_exchange', `This build cannot record ${exchange}.`, {
    hint: `It records ${known}.`,
  })
}

/** The adapter whose frames a tape record holds. */
export function adapterByCode(tape_code: number): ExchangeAdapter {
  const adapter = BY_CODE.get(tape_code)
  if (adapter !== undefined) return adapter
  const known = [...BY_CODE.keys()].join(', ')
  throw new OperatorError(
    'unknown_exchange_code',
    `The tape holds a record of exchange number ${tape_code}; this build knows ${known}.`,
    { hint: 'A newer build wrote the tape: run that build, or a newer one.' },
  )
}
