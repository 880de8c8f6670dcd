/**
 * Measures a build of the current day after a number of hours: from midnight, and as a continuation
 * of the previous build. `npm run bench:today -- --symbols 4 --rate 1000 --hours 1,6`. Both read
 * the whole last hour: the previous build ended just before it, which is the most expensive case.
 * The day is in the archive, and each build runs in its own process, like the daemon's.
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { dayRange, HOUR_US, parseDay, SECOND_US } from '#core/time.ts'
import type { BuildFigures, BuildTask } from './day/build.ts'
import { generateDay } from './day/generate.ts'
import { buildInProcess } from './day/in-process.ts'
import { withServices } from './services.ts'

const DATE = parseDay('2024-08-08')!
const MB = 1e6

const { values } = parseArgs({
  options: {
    symbols: { type: 'string', default: '4' },
    rate: { type: 'string', default: '1000' },
    hours: { type: 'string', default: '1,6' },
  },
})

process.stdout.write('hours | build | seconds | CPU s | RSS peak MB | rows | files MB\n')
for (const hours of values.hours.split(',')) await measure(Number(hours))

async function measure(hour_count: number): Promise<void> {
  await withServices(async ({ dir, database_url, pool, store, store_config }) => {
    await generateDay({
      pool,
      store,
      dir,
      date: DATE,
      symbol_count: Number(values.symbols),
      rate: Number(values.rate),
      hour_count,
    })
    const task: BuildTask = {
      job: 'features',
      date: DATE,
      database_url,
      store_config,
      work_dir: join(dir, 'work'),
      thread_count: 0,
      now_ms: (dayRange(DATE).from + hour_count * HOUR_US + 150 * SECOND_US) / 1_000,
    }
    const kept_dir = join(dir, 'today')
    tell(hour_count, 'from midnight', await buildInProcess(task))
    await buildInProcess({ ...task, kept_dir })
    tell(hour_count, 'from the last one', await buildInProcess({ ...task, kept_dir }))
  })
}

function tell(hours: number, name: string, figures: BuildFigures): void {
  const { elapsed_s, cpu_s, rss_peak_bytes, row_count, byte_count } = figures
  const numbers = [elapsed_s, cpu_s, rss_peak_bytes / MB].map((value) => value.toFixed(1))
  const cells = [hours, name, ...numbers, row_count, (byte_count / MB).toFixed(1)]
  process.stdout.write(`${cells.join(' | ')}\n`)
}
