/**
 * Measures the time and memory to build a day's features and datasets from the archive, and how
 * both grow with the number of symbols:
 * `npm run bench:day -- --symbols 20,200 --rate 10000 --hours 24`. `--rate` is the total over all
 * symbols [events/s]: 70 % quotes, 10 % trades, 20 % depth diffs. The day is generated directly as
 * archive files. The build runs in its own process, so the memory is that of the build with all its
 * threads.
 *
 * Then DuckDB computes the columns of quotes and trades with one statement over the same files, and
 * the job builds the day again without depth: the same columns, and the ratio of their CPU. The
 * job's other work is in its figure: labels, Arrow, reading back, and upload to the local store.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { parseDay } from '#core/time.ts'
import { generateDay } from './day/generate.ts'
import { DUCKDB_COLUMNS } from './day/duckdb.ts'
import { buildInProcess, duckDbInProcess } from './day/in-process.ts'
import { type Services, withServices } from './services.ts'

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
    await compare({ dir, database_url, pool, store, store_config }, symbol_count)
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
  for (const { table_name, object_key, hour } of rows) {
    const path = join(files_dir, `${table_name}-${hour}.parquet`)
    await writeFile(path, (await store.get(object_key))!)
  }
  const thread_count = Number(values.threads)
  const out = join(files_dir, 'features.parquet')
  const duckdb = await duckDbInProcess({ dir: files_dir, out, thread_count })
  await pool.query("delete from marketdata.archive where table_name = 'depth_events'")
  const ours = await buildInProcess({
    job: 'features',
    date: DATE,
    database_url,
    store_config,
    work_dir: join(dir, 'work'),
    thread_count,
  })
  const ratio = (ours.cpu_s / duckdb.cpu_s).toFixed(2)
  process.stdout.write(
    `${symbol_count} symbols, ${DUCKDB_COLUMNS.length} columns of quotes and trades: ` +
      `DuckDB ${duckdb.elapsed_s.toFixed(1)} s, ${duckdb.cpu_s.toFixed(1)} CPU s, ` +
      `${duckdb.row_count} rows; features without depth ${ours.elapsed_s.toFixed(1)} s, ` +
      `${ours.cpu_s.toFixed(1)} CPU s, ${ours.row_count} rows; ratio of CPU ${ratio}\n`,
  )
}

function cellText(cell: string | number): string {
  return typeof cell === 'string' || Number.isInteger(cell) ? String(cell) : cell.toFixed(1)
}
