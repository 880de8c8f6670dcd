/**
 * Measures a build of the current day after a number of hours: from midnight, and as a continuation
 * of the previous build. `npm run bench:today -- --symbols 4 --rate 1000 --hours 1,6`. Both read
 * the whole last hour: the previous build ended just before it, which is the most expensive case.
 * The day is in the archive, and each build runs in its own process, like the daemon's.
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
import { dayRange, HOUR_US, parseDay, SECOND_US } from '#core/time.ts'
import { startObjectStore } from '../infra/local/object-store.ts'
import { freePort } from '../infra/local/ports.ts'
import { startPostgres } from '../infra/local/postgres.ts'
import type { BuildFigures, BuildTask } from './day/build.ts'
import { generateDay } from './day/generate.ts'

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
      database_url: postgres.url,
      store_config: server.config,
      work_dir: join(dir, 'work'),
      thread_count: 0,
      now_ms: (dayRange(DATE).from + hour_count * HOUR_US + 150 * SECOND_US) / 1_000,
    }
    const kept_dir = join(dir, 'today')
    tell(hour_count, 'from midnight', await build(task))
    await build({ ...task, kept_dir })
    tell(hour_count, 'from the last one', await build({ ...task, kept_dir }))
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

function tell(hours: number, name: string, figures: BuildFigures): void {
  const { elapsed_s, cpu_s, rss_peak_bytes, row_count, byte_count } = figures
  const numbers = [elapsed_s, cpu_s, rss_peak_bytes / MB].map((value) => value.toFixed(1))
  const cells = [hours, name, ...numbers, row_count, (byte_count / MB).toFixed(1)]
  process.stdout.write(`${cells.join(' | ')}\n`)
}
