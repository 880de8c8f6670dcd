/**
 * Measures how fast a day is imported, and the memory that it takes: `npm run bench:import [--
 * --rows 2000000 --kind bookTicker]`. The day is generated, zipped and read from a folder. The
 * baseline is a COPY of the same rows as CSV into an empty table with the same key.
 */
import { execFile } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { parseArgs, promisify } from 'node:util'
import copyStreams from 'pg-copy-streams'
import { withClient } from '#core/node/pool.ts'
import { parseDay } from '#core/time.ts'
import { listFiles } from '../jobs/import/files.ts'
import { createFolderOrigin } from '../jobs/import/folder-origin.ts'
import { runImport } from '../jobs/import/run-import.ts'
import { putFile, zipOf } from './import/zip.ts'
import { type Services, withServices } from './services.ts'

const DAY = parseDay('2024-03-29')!
const DAY_MS = Date.parse(`${DAY}T00:00:00Z`)
const LINES_AT_ONCE = 20_000
/** The same lines, for the baseline. */
const CSV = 'baseline.csv'

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '2000000' },
    kind: { type: 'string', default: 'bookTicker' },
    /** Only writes the files into this folder: a process of its own, for its memory. */
    make: { type: 'string' },
  },
})
const row_count = Number(values.rows)
const { kind } = values

const files = listFiles({
  source: 'binance',
  exchange: 'binance-futures',
  kinds: [kind],
  symbols: ['BTCUSDT'],
  from: DAY,
  to: DAY,
  is_monthly: false,
})

if (values.make === undefined) await bench()
else await makeFiles(values.make)

async function bench(): Promise<void> {
  await withServices(
    async (services) => {
      const folder = join(services.dir, 'files')
      const options = ['--rows', values.rows, '--kind', kind, '--make', folder]
      await promisify(execFile)(process.execPath, [import.meta.filename, ...options])
      const copy_s = await seconds(() => copyCsv(services, join(folder, CSV)))
      const { user, system } = process.cpuUsage()
      const began = { cpu_us: user + system, peak: watchMemory() }
      const elapsed_s = await seconds(() => importAll(services, folder))
      const cpu = process.cpuUsage()
      print({
        kind,
        row_count,
        import_row_per_s: row_count / elapsed_s,
        import_row_per_cpu_s: row_count / ((cpu.user + cpu.system - began.cpu_us) / 1e6),
        csv_copy_row_per_s: row_count / copy_s,
        rss_before_mb: began.peak.before_mb,
        rss_peak_mb: began.peak.stop(),
      })
    },
    { max_wal_size: '8GB', autovacuum: 'off' },
  )
}

async function importAll({ pool, store, dir }: Services, folder: string): Promise<void> {
  const [result] = await runImport({
    pool,
    store,
    work_dir: join(dir, 'work'),
    origin: await createFolderOrigin(folder),
    files,
    is_recheck: false,
    now: Date.now,
    signal: new AbortController().signal,
  })
  if (result?.kind !== 'imported' || result.facts.added_count !== row_count) {
    throw new Error(`Not imported: ${JSON.stringify(result)}`)
  }
}

async function makeFiles(folder: string): Promise<void> {
  const text = [...linesOf()].join('')
  await putFile(folder, files[0]!.path, zipOf('day.csv', text))
  await writeFile(join(folder, CSV), text)
}

function* linesOf(): Generator<string> {
  for (let from = 0; from < row_count; from += LINES_AT_ONCE) {
    const lines: string[] = []
    for (let i = from; i < Math.min(row_count, from + LINES_AT_ONCE); i++) lines.push(lineOf(i))
    yield `${lines.join('\n')}\n`
  }
}

function lineOf(i: number): string {
  const ms = DAY_MS + Math.floor((i * 86_400_000) / row_count)
  const price = (60_000 + (i % 997) / 10).toFixed(1)
  const qty = ((i % 1_999) / 1_000 + 0.001).toFixed(3)
  return kind === 'bookTicker'
    ? `${4_000_000_000 + i * 7},${price},${qty},${(Number(price) + 0.1).toFixed(1)},${qty},${ms},${ms + 2}`
    : `${i + 1},${price},${qty},${2 * i},${2 * i + 1},${ms},${i % 2 === 0}`
}

async function copyCsv({ pool }: Services, csv: string): Promise<void> {
  await withClient(pool, async (client) => {
    const columns = Array.from({ length: 7 }, (_, i) => `c${i} ${i === 6 ? 'text' : 'float8'}`)
    await client.query(`create table bench_csv (${columns.join(', ')}, primary key (c0))`)
    await pipeline(
      createReadStream(csv),
      client.query(copyStreams.from('copy bench_csv from stdin (format csv)')),
    )
  })
}

function watchMemory(): { readonly before_mb: number; stop(): number } {
  const megabytes = (): number => process.memoryUsage().rss / 1e6
  const before_mb = megabytes()
  let peak = before_mb
  const timer = setInterval(() => (peak = Math.max(peak, megabytes())), 50)
  return {
    before_mb,
    stop() {
      clearInterval(timer)
      return peak
    },
  }
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const began_ms = performance.now()
  await work()
  return (performance.now() - began_ms) / 1_000
}

function print(figures: Readonly<Record<string, string | number>>): void {
  for (const [name, value] of Object.entries(figures)) {
    const text = typeof value === 'number' ? Math.round(value).toLocaleString('en') : value
    process.stdout.write(`${name.padEnd(24)} ${text}\n`)
  }
}
