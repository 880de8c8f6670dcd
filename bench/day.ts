/**
 * Measures the time and memory to build a day's features and datasets from the archive, and how
 * both grow with the number of symbols:
 * `npm run bench:day -- --symbols 20,200 --rate 10000 --hours 24`. `--rate` is the total over all
 * symbols [events/s]: 70 % quotes, 10 % trades, 20 % depth diffs. The day is generated directly as
 * archive files. The build runs in its own process, so the memory is that of the build with all its
 * threads.
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { parseDay } from '#core/time.ts'
import { generateDay } from './day/generate.ts'
import { buildInProcess } from './day/in-process.ts'
import { withServices } from './services.ts'

const DATE = parseDay('2024-08-08')!
const MB = 1e6

const { values } = parseArgs({
  options: {
    symbols: { type: 'string', default: '20' },
    rate: { type: 'string', default: '1000' },
    hours: { type: 'string', default: '1' },
    threads: { type: 'string', default: '2' },
  },
})

const HEAD =
  'symbols | events | generate s | archive MB | job | seconds | CPU s | events/s | ' +
  'RSS before MB | RSS peak MB | rows | files MB\n'
process.stdout.write(HEAD)
for (const count of values.symbols.split(',')) await measure(Number(count))

async function measure(symbol_count: number): Promise<void> {
  await withServices(async ({ dir, database_url, pool, store, store_config }) => {
    const began_ms = performance.now()
    const generated = await generateDay({
      pool,
      store,
      dir,
      date: DATE,
      symbol_count,
      rate: Number(values.rate),
      hour_count: Number(values.hours),
    })
    const generate_s = (performance.now() - began_ms) / 1_000
    for (const job of ['features', 'datasets'] as const) {
      const figures = await buildInProcess({
        job,
        date: DATE,
        database_url,
        store_config,
        work_dir: join(dir, 'work'),
        thread_count: Number(values.threads),
      })
      const cells = [
        symbol_count,
        generated.event_count,
        generate_s,
        generated.byte_count / MB,
        job,
        figures.elapsed_s,
        figures.cpu_s,
        generated.event_count / figures.elapsed_s,
        figures.rss_before_bytes / MB,
        figures.rss_peak_bytes / MB,
        figures.row_count,
        figures.byte_count / MB,
      ]
      process.stdout.write(`${cells.map(cellText).join(' | ')}\n`)
    }
  })
}

function cellText(cell: string | number): string {
  return typeof cell === 'string' || Number.isInteger(cell) ? String(cell) : cell.toFixed(1)
}
