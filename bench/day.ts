/**
 * Measures the time and memory to build a day's features and datasets from the archive, and how
 * both grow with the number of symbols:
 * `npm run bench:day -- --symbols 20,200 --rate 10000 --hours 24`. `--rate` is the total over all
 * symbols [events/s]: 70 % quotes, 10 % trades, 20 % depth diffs. The day is generated directly as
 * archive files. The build runs in its own process, so the memory is that of the build with all its
 * threads.
 *
 * Unless `--no-duckdb` is given, DuckDB then computes the columns of quotes and trades with one
 * statement over local copies of the archive's files, and the job's own code computes the same
 * columns of the same copies: the ratio of their CPU. Last, the job `features` builds the day
 * without depth, with all that it does besides: fits, labels, Arrow, upload to the local store and
 * reading back.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { serialize } from 'node:v8'
import { parseArgs } from 'node:util'
import { parseDay } from '#core/time.ts'
import { generateDay, symbolNames } from './day/generate.ts'
import { withDay } from '../jobs/day/day.ts'
import { DUCKDB_COLUMNS, type DuckDbFigures } from './day/duckdb.ts'
import { buildInProcess, duckDbInProcess, sameColumnsInProcess } from './day/in-process.ts'
import type { SameColumnsTask } from './day/same-columns.ts'
import { type Services, withServices } from './services.ts'

const DATE = parseDay('2024-08-08')!
const MB = 1e6

const { values } = parseArgs({
  options: {
    symbols: { type: 'string', default: '20' },
    rate: { type: 'string', default: '1000' },
    hours: { type: 'string', default: '1' },
    threads: { type: 'string', default: '2' },
    /** How many symbols also get features_100ms, and depth. */
    'symbols-100ms': { type: 'string', default: '0' },
    'depth-symbols': { type: 'string', default: '0' },
    /** Compare with DuckDB: needs room for a copy of the quotes and trades. */
    duckdb: { type: 'boolean', default: true },
  },
  allowNegative: true,
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
        symbols_100ms: symbolNames(Number(values['symbols-100ms'])),
        depth_symbols: symbolNames(Number(values['depth-symbols'])),
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
    if (values.duckdb) await compare({ dir, database_url, pool, store, store_config }, symbol_count)
  })
}

async function compare(
  { dir, database_url, pool, store, store_config }: Services,
  symbol_count: number,
): Promise<void> {
  const files_dir = join(dir, 'duckdb')
  await mkdir(files_dir)
  const { rows } = await pool.query<{ table_name: string; object_key: string; hour: string }>(
    `select table_name, object_key, to_char(hour at time zone 'UTC', 'HH24') as hour
     from marketdata.archive where table_name in ('book_ticker', 'trades')`,
  )
  const paths: Record<string, string> = {}
  for (const { table_name, object_key, hour } of rows) {
    const path = join(files_dir, `${table_name}-${hour}.parquet`)
    await writeFile(path, (await store.get(object_key))!)
    paths[object_key] = path
  }
  const thread_count = Number(values.threads)
  const out = join(files_dir, 'features.parquet')
  await pool.query("delete from marketdata.archive where table_name = 'depth_events'")
  const shared = await withDay({ pool, store }, DATE, async ({ symbols, share }) => {
    return { symbols, plan: (await share()).plan }
  })
  // The operating system's cache has the files for both, because they have just been written.
  const duckdb = await duckDbInProcess({ dir: files_dir, out, thread_count })
  const names = DUCKDB_COLUMNS
  const task: SameColumnsTask = { ...shared, date: DATE, paths, names, out, thread_count }
  const file = join(files_dir, 'task.bin')
  await writeFile(file, serialize(task))
  const same = await sameColumnsInProcess({ file })
  const job = await buildInProcess({
    job: 'features',
    date: DATE,
    database_url,
    store_config,
    work_dir: join(dir, 'work'),
    thread_count,
  })
  process.stdout.write(
    `${symbol_count} symbols, ${names.length} columns of quotes and trades: ` +
      `DuckDB ${figuresText(duckdb)}; the same columns ${figuresText(same)}, ratio of CPU ` +
      `${(same.cpu_s / duckdb.cpu_s).toFixed(2)}; the job without depth ${figuresText(job)}, ` +
      `ratio ${(job.cpu_s / duckdb.cpu_s).toFixed(2)}\n`,
  )
}

function figuresText(figures: Pick<DuckDbFigures, 'elapsed_s' | 'cpu_s' | 'row_count'>): string {
  const { elapsed_s, cpu_s, row_count } = figures
  return `${elapsed_s.toFixed(1)} s, ${cpu_s.toFixed(1)} CPU s, ${row_count} rows`
}

function cellText(cell: string | number): string {
  return typeof cell === 'string' || Number.isInteger(cell) ? String(cell) : cell.toFixed(1)
}
