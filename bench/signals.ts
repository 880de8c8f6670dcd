/**
 * Measures the nightly signals of a day of many symbols: alone (their reading of trades and depth,
 * and their computation, over the archive), and in the job `datasets`, which builds all other
 * datasets of trades and quotes in the same pass. Each in its own process.
 *
 *   npm run bench:signals [-- --symbols 200 --rate 5000 --hours 24]
 *
 * `--rate` is the total over all symbols [events/s]: 70 % quotes, 10 % trades, 20 % depth diffs.
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { parseDay } from '#core/time.ts'
import { generateDay } from './day/generate.ts'
import { buildInProcess, signalsInProcess } from './day/in-process.ts'
import type { SignalsFigures } from './day/signals.ts'
import { withServices } from './services.ts'

const DATE = parseDay('2024-08-08')!
const MB = 1e6

const { values } = parseArgs({
  options: {
    symbols: { type: 'string', default: '200' },
    rate: { type: 'string', default: '5000' },
    hours: { type: 'string', default: '24' },
  },
})

await withServices(async ({ dir, database_url, pool, store, store_config }) => {
  const { event_count } = await generateDay({
    pool,
    store,
    dir,
    date: DATE,
    symbol_count: Number(values.symbols),
    rate: Number(values.rate),
    hour_count: Number(values.hours),
  })
  // Without it no bar has bins, and so no signals of bins.
  await pool.query('update marketdata.symbols set tick_size = 0.1')
  const task = { date: DATE, database_url, store_config, work_dir: join(dir, 'work') }
  const signals = await signalsInProcess(task)
  print('signals alone', event_count, signals)
  print(
    'datasets',
    event_count,
    await buildInProcess({ ...task, job: 'datasets', thread_count: 2 }),
  )
})

function print(name: string, event_count: number, figures: SignalsFigures): void {
  const { elapsed_s, cpu_s, rss_before_bytes, rss_peak_bytes, row_count } = figures
  process.stdout.write(
    `${name}: ${values.symbols} symbols, ${event_count} events, ${elapsed_s.toFixed(1)} s, ` +
      `${cpu_s.toFixed(1)} s of CPU, RSS ${mb(rss_before_bytes)} before, ` +
      `${mb(rss_peak_bytes)} at most, ${row_count} rows\n`,
  )
}

function mb(bytes: number): string {
  return `${Math.round(bytes / MB)} MB`
}
