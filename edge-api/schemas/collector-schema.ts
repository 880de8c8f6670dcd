/**
 * Answers of /data and /stats, in the format of the order book collector, for its existing callers:
 * times are seconds since 1970, prices and quantities are strings, levels are numbered from 0.
 */
import { z } from '@hono/zod-openapi'
import { count, decimal } from './schema-parts.ts'

const seconds = z.number().openapi({ description: '[s since 1970]', example: 1_703_875_200.123 })
const price = (description: string) => decimal(description, '43500.00')

const Level = z
  .object({
    price: price('price [quote asset]'),
    quantity: decimal('quantity [base asset]', '0.15'),
    level: count.openapi({ description: '0 is the best.' }),
  })
  .openapi('CollectorLevel')

const snapshotShape = {
  timestamp: seconds,
  bids: z.array(Level),
  asks: z.array(Level),
  spread: price('best ask - best bid').nullable(),
  mid_price: price('(best ask + best bid) / 2').nullable(),
}

export const CollectorBook = z
  .object({ symbol: z.string(), ...snapshotShape })
  .openapi('CollectorBook')

export const CollectorHistory = z
  .object({
    symbol: z.string(),
    count,
    next: z.string().nullable().openapi({ description: 'Path of the next page.' }),
    data: z.array(z.object(snapshotShape).openapi('CollectorSnapshot')),
  })
  .openapi('CollectorHistory')

const SymbolStats = z
  .object({
    exchange: z.string(),
    symbol: z.string(),
    is_active: z.boolean().openapi({ description: 'Whether the exchange trades the symbol.' }),
    last_update: seconds.nullable().openapi({
      description: 'Time of the newest quote or trade; null if the last hour had none.',
    }),
    best_bid: price('best bid').nullable(),
    best_ask: price('best ask').nullable(),
    spread: price('best ask - best bid').nullable(),
    last_price: price('price of the newest trade').nullable(),
  })
  .openapi('SymbolStats')

export const CollectorStats = z
  .object({
    timestamp: seconds,
    symbol_count: count,
    active_count: count.openapi({
      description: 'Number of symbols with a quote or trade in the last hour.',
    }),
    symbols: z.array(SymbolStats),
  })
  .openapi('CollectorStats')
