/** The newest minutes, which may still change: computed from their trades, and never stored. */
import { BaseFold, type BaseMinute } from '#core/clusters/base.ts'
import { inTransaction, type Pool } from '#core/node/pool.ts'
import type { Micros } from '#core/time.ts'
import { selectDataHours, within } from './data-hours.ts'
import { readStored } from './hour-trades.ts'
import type { RecordedSymbol } from './instruments.ts'

/** Minutes of [from, to) with trades, in order; `from` is a whole minute. */
export async function readTail(
  pool: Pool,
  symbol: RecordedSymbol,
  from: Micros,
  to: Micros,
): Promise<readonly BaseMinute[]> {
  if (from >= to) return []
  const hours = await selectDataHours(pool, symbol.exchange, from, to)
  if (hours.length === 0) return []
  const fold = new BaseFold()
  await inTransaction(pool, async (client) => {
    for (const hour of hours) {
      const trades = await readStored(client, { ...symbol, ...within(hour, from, to) })
      fold.add({ row_count: trades.price.length, ...trades })
    }
  })
  return fold.take()
}
