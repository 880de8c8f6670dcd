/**
 * Measures the time and memory to build a day's features and datasets from the archive, and how
 * both grow with the number of symbols:
 * `npm run bench:day -- --symbols 20,200 --rate 10000 --hours 24`. `--rate` is the total over all
 * symbols [events/s]: 70 % quotes, 10 % trades, 20 % depth diffs. The day is generated directly as
 * archive files. The build runs in its own process, so the memory is that of the build with all its
 * threads.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { migrate } from '#core/node/migrate.ts'
import { createObjectStore } from '#core/node/object-store.ts'
import { createPool } from '#core/node/pool.ts'
import { parseDay } from '#core/time.ts'
import { startObjectStore } from '../infra/local/object-store.ts'
import { freePort } from '../infra/local/ports.ts'
import { startPostgres } from '../infra/local/postgres.ts'
import type { BuildFigures, BuildTask } from './day/build.ts'
import { generateDay } from './day/generate.ts'

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
  const dir = mkdtempSync(join(tmpdir(), 'booktape-bench-'))
  chmodSync(dir, 0o755)
  const postgres = await startPostgres({
    dir: join(dir, 'postgres'),
    port: await freePort(),
    password: 'bench',
    settings: { fsync: 'off' },
  })
  const server = await startObjectStore({
    dir: join(dir, 'store'),
    port: 0,
    access_key_id: 'k',
    secret_access_key: 's',
  })
  const store = createObjectStore(server.config)
  const pool = createPool(postgres.url, 'bench')
  try {
    await migrate(pool)
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
      const figures = await build({
        job,
        date: DATE,
        database_url: postgres.url,
        store_config: server.config,
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
  } finally {
    await pool.end()
    store.close()
    await server.stop()
    await postgres.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

async function build(task: BuildTask): Promise<BuildFigures> {
  const child = fork(new URL('day/build.ts', import.meta.url), [JSON.stringify(task)])
  const exited = once(child, 'exit')
  const [figures] = (await Promise.race([
    once(child, 'message'),
    exited.then(([code]) => Promise.reject(new Error(`The build exited with code ${code}.`))),
  ])) as [BuildFigures]
  await exited
  return figures
}

function cellText(cell: string | number): string {
  return typeof cell === 'string' || Number.isInteger(cell) ? String(cell) : cell.toFixed(1)
}
