/**
 * Measures how fast a day is imported, and the memory of the process that does: `npm run
 * bench:import [-- --rows 2000000 --kind bookTicker --node=--max-old-space-size=64]`. The day is
 * generated, zipped and read from a folder, with the limits of the command. The baseline is a COPY
 * of the same rows as CSV into an empty table with the same key.
 */
import { execFile } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { parseArgs, promisify } from 'node:util'
import copyStreams from 'pg-copy-streams'
import { createObjectStore, type ObjectStoreConfig } from '#core/node/object-store.ts'
import { createPool, withClient } from '#core/node/pool.ts'
import { parseDay } from '#core/time.ts'
import { HEAVY_ENV, HEAVY_NODE_ARGS } from '../jobs/heavy-process.ts'
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
    /** Of the process that imports, such as --max-old-space-size=64. */
    node: { type: 'string', multiple: true, default: [] },
    /** Only writes the files into this folder: a process of its own, for its memory. */
    make: { type: 'string' },
    /** Only imports the folder's files: a process of its own, for the same reason. */
    import: { type: 'string' },
  },
})
const row_count = Number(values.rows)
const { kind } = values
const { BENCH_DATABASE_URL, BENCH_STORE } = process.env

const files = listFiles({
  source: 'binance',
  exchange: 'binance-futures',
  kinds: [kind],
  symbols: ['BTCUSDT'],
  from: DAY,
  to: DAY,
  is_monthly: false,
})

if (values.make !== undefined) await makeFiles(values.make)
else if (values.import !== undefined) await importAll(values.import)
else await bench()

async function bench(): Promise<void> {
  await withServices(
    async (services) => {
      const folder = join(services.dir, 'files')
      const same = ['--rows', values.rows, '--kind', kind]
      const again = (node: readonly string[], ...more: readonly string[]) =>
        promisify(execFile)(
          process.execPath,
          [...HEAVY_NODE_ARGS, ...node, import.meta.filename, ...same, ...more],
          {
            env: {
              ...process.env,
              ...HEAVY_ENV,
              BENCH_DATABASE_URL: services.database_url,
              BENCH_STORE: JSON.stringify(services.store_config),
            },
          },
        )
      await again([], '--make', folder)
      const copy_s = await seconds(() => copyCsv(services, join(folder, CSV)))
      const { stdout } = await again(values.node, '--import', folder)
      const found = JSON.parse(stdout) as Readonly<Record<string, number>>
      print({ kind, row_count, csv_copy_row_per_s: row_count / copy_s, ...found })
    },
    { max_wal_size: '8GB', autovacuum: 'off' },
  )
}

/** Prints what it measured as JSON. */
async function importAll(folder: string): Promise<void> {
  const pool = createPool(BENCH_DATABASE_URL!, 'bench-import')
  const store = createObjectStore(JSON.parse(BENCH_STORE!) as ObjectStoreConfig)
  const before = process.cpuUsage()
  const peak = watchMemory()
  const began_ms = performance.now()
  const [result] = await runImport({
    pool,
    store,
    work_dir: join(folder, 'work'),
    origin: await createFolderOrigin(folder),
    files,
    is_recheck: false,
    now: Date.now,
    signal: new AbortController().signal,
  })
  const elapsed_s = (performance.now() - began_ms) / 1_000
  if (result?.kind !== 'imported' || result.facts.added_count !== row_count) {
    throw new Error(`Not imported: ${JSON.stringify(result)}`)
  }
  const { user, system } = process.cpuUsage(before)
  const figures = {
    import_row_per_s: row_count / elapsed_s,
    import_row_per_cpu_s: row_count / ((user + system) / 1e6),
    ...peak.stop(),
  }
  await pool.end()
  store.close()
  process.stdout.write(JSON.stringify(figures))
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

/** `rss_peak_mb` is the kernel's, the others are looked at every 20 ms. */
function watchMemory(): { stop(): Readonly<Record<string, number>> } {
  const rss_before_mb = process.memoryUsage().rss / 1e6
  let [heap_used_peak_mb, external_peak_mb] = [0, 0]
  const timer = setInterval(() => {
    const { heapUsed, external } = process.memoryUsage()
    heap_used_peak_mb = Math.max(heap_used_peak_mb, heapUsed / 1e6)
    external_peak_mb = Math.max(external_peak_mb, external / 1e6)
  }, 20)
  return {
    stop() {
      clearInterval(timer)
      const rss_peak_mb = process.resourceUsage().maxRSS / 1_000
      return { rss_before_mb, rss_peak_mb, heap_used_peak_mb, external_peak_mb }
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
