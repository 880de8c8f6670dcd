/** The measured process: the signals of every symbol of a day, one after another. */
import { createObjectStore } from '#core/node/object-store.ts'
import { createPool } from '#core/node/pool.ts'
import { dayRange } from '#core/time.ts'
import { withDay } from '../../jobs/day/day.ts'
import { signalColumns, signalRows } from '../../jobs/signals/rows.ts'
import { SymbolSignals } from '../../jobs/signals/symbol-day.ts'
import type { BuildFigures, BuildTask } from './build.ts'

export type SignalsTask = Pick<BuildTask, 'date' | 'database_url' | 'store_config'>
export type SignalsFigures = Omit<BuildFigures, 'byte_count'>

const COLUMNS = ['ts_exchange', 'agg_trade_id', 'price', 'qty', 'is_buyer_maker']

const { date, database_url, store_config } = JSON.parse(process.argv[2]!) as SignalsTask
const pool = createPool(database_url, 'bench')
const store = createObjectStore(store_config)
const { signal } = new AbortController()
const rss_before_bytes = process.memoryUsage.rss()
const began_ms = performance.now()
const row_count = await withDay({ pool, store }, date, async (day) => {
  let count = 0
  for (const symbol of day.symbols) {
    const signals = await SymbolSignals.open(day.reader, symbol, signal)
    for await (const chunk of day.reader.rows(symbol, 'trades', COLUMNS)) {
      signals.add({
        row_count: chunk.row_count,
        ts_exchange: chunk.numbers('ts_exchange'),
        agg_trade_id: chunk.numbers('agg_trade_id'),
        price: chunk.numbers('price'),
        qty: chunk.numbers('qty'),
        is_buyer_maker: chunk.flags('is_buyer_maker'),
      })
    }
    const rows = signalRows(symbol, signals.finish(dayRange(date).to))
    signalColumns(rows)
    count += rows.length
  }
  return count
})
const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage()
const figures: SignalsFigures = {
  elapsed_s: (performance.now() - began_ms) / 1_000,
  cpu_s: (userCPUTime + systemCPUTime) / 1e6,
  rss_before_bytes,
  // In kilobytes.
  rss_peak_bytes: maxRSS * 1_024,
  row_count,
}
store.close()
await pool.end()
process.send!(figures)
process.disconnect()
