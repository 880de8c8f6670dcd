/**
 * Measures the ingestor's speed and compares it with the best and the usual way to fill the same
 * tables, in one run on one machine:
 *
 *   (a) raw binary COPY of pre-encoded rows, each answer awaited: the yardstick (sending a
 *       transaction in one round trip, as the writer does, makes it 5 % faster);
 *   (b) the whole ingestor, from frames on sockets to committed rows, at full speed;
 *   (c) multi-row INSERTs of 500 rows with ON CONFLICT DO NOTHING: the usual way;
 *   (d) the design load: 10,000 events per second for a minute, with 30,000 for ten seconds in the
 *       middle; CPU, memory, and the time from receipt to commit of every row.
 *
 *   npm run bench:ingest [-- --quick] [-- --rows N --rounds N --cpu-prof DIR --scrape-s N]
 *   npm run bench:ingest -- --minutes 120   only the memory of the ingestor at 10,000 events/s
 *
 * An ingestor runs for weeks, so (b) records WARM_UP_ROWS first; what compiling its code adds to
 * those is printed too. The rows of (a), (b) and (c) must be identical. The output has CPU time as
 * well as wall time, because the sender, the ingestor, Postgres and other programs share the cores.
 * "By CPU time" is the rate that the CPU time per row would allow if the program had the cores for
 * itself.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { migrate } from '#core/node/migrate.ts'
import { createPool } from '#core/node/pool.ts'
import { NODE_ARGS } from '../infra/local/child.ts'
import { freePort } from '../infra/local/ports.ts'
import { POSTGRES_SETTINGS, startPostgres } from '../infra/local/postgres.ts'
import { copyAll, insertAll, prepareCopies, prepareInserts } from './ingest/baselines.ts'
import { Bench, median, type Sample } from './ingest/bench.ts'
import { measureLoad } from './ingest/load.ts'
import { CORE_COUNT, cpuSeconds } from './ingest/machine.ts'
import { printMemory } from './ingest/memory.ts'
import { startRecording } from './ingest/recording.ts'
import { FIRST_ROWS, printTable } from './ingest/table.ts'

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rows: { type: 'string' },
    rounds: { type: 'string' },
    /** Folder for the ingestor's CPU profiles. */
    'cpu-prof': { type: 'string' },
    /** The metrics are scraped every N seconds in (d). */
    'scrape-s': { type: 'string' },
    /** Only the memory under the design load, for so long. */
    minutes: { type: 'string' },
  },
})
const row_count = Number(values.rows ?? (values.quick ? 300_000 : 600_000))
const round_count = Number(values.rounds ?? (values.quick ? 1 : 3))
const WARM_UP_ROWS = 200_000
const events = { from: WARM_UP_ROWS, to: WARM_UP_ROWS + row_count }
const steps = values.quick
  ? ([
      [10_000, 6],
      [30_000, 2],
      [10_000, 6],
    ] as const)
  : ([
      [10_000, 30],
      [30_000, 10],
      [10_000, 30],
    ] as const)
const profile_dir = values['cpu-prof']
const profile_args =
  profile_dir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile_dir}`]
const node_args = [...NODE_ARGS, ...profile_args]

const dir = mkdtempSync(join(tmpdir(), 'booktape-bench-'))
// Postgres may run as another user and must enter the folder.
chmodSync(dir, 0o755)
const postgres = await startPostgres({
  dir: join(dir, 'postgres'),
  port: await freePort(),
  password: 'bench',
  // Postgres itself reports when each row was committed.
  settings: { ...POSTGRES_SETTINGS, track_commit_timestamp: 'on' },
})
const pool = createPool(postgres.url, 'bench', 1)
try {
  await migrate(pool)
  if (values.minutes === undefined) await compare()
  else {
    await printMemory(pool, {
      database_url: postgres.url,
      tape_dir: join(dir, 'tape-memory'),
      node_args,
      minutes: Number(values.minutes),
    })
  }
} finally {
  await pool.end()
  await postgres.stop()
  rmSync(dir, { recursive: true, force: true })
}

async function compare(): Promise<void> {
  const bench = new Bench(pool, postgres.pid, row_count)
  const symbol_ids = await bench.registerSymbols()
  const samples: Record<'copy' | 'ingestor' | 'insert', Sample[]> = {
    copy: [],
    ingestor: [],
    insert: [],
  }
  for (let round = 1; round <= round_count; round++) {
    const copies = prepareCopies(events, symbol_ids)
    samples.copy.push(await bench.measure([], () => copyAll(pool, copies)))
    samples.ingestor.push(await recordBurst(bench, `round-${round}`))
    const inserts = prepareInserts(events, symbol_ids)
    samples.insert.push(await bench.measure([], () => insertAll(pool, inserts)))
  }
  await bench.empty()
  const load = await measureLoad(pool, postgres, {
    tape_dir: join(dir, 'tape-load'),
    node_args,
    scrape_ms: values['scrape-s'] === undefined ? undefined : Number(values['scrape-s']) * 1_000,
    steps: steps.map(([events_per_s, seconds]) => ({ events_per_s, seconds })),
  })
  const rate = (kind: keyof typeof samples): number =>
    median(samples[kind].map((sample) => sample.rows_per_s))
  const result = {
    rows: row_count,
    rounds: round_count,
    cores: CORE_COUNT,
    load_average: loadavg()[0],
    copy_rows_per_s: Math.round(rate('copy')),
    ingestor_rows_per_s: Math.round(rate('ingestor')),
    insert_rows_per_s: Math.round(rate('insert')),
    ratio_to_copy: inThousandths(rate('ingestor') / rate('copy')),
    ratio_to_insert: inThousandths(rate('ingestor') / rate('insert')),
    ratio_to_copy_by_cpu: inThousandths(
      median(
        samples.ingestor.map(
          ({ rows_per_s_alone }, at) => rows_per_s_alone / samples.copy[at]!.rows_per_s_alone,
        ),
      ),
    ),
    samples,
    load,
  }
  printTable(samples, result, load)
  process.stdout.write(`${JSON.stringify(result)}\n`)
}

/** Measures from the first frame sent to the last row committed. */
async function recordBurst(bench: Bench, ingestor_id: string): Promise<Sample> {
  const tape_dir = join(dir, `tape-${ingestor_id}`)
  const recording = await startRecording({
    database_url: postgres.url,
    ingestor_id,
    tape_dir,
    node_args,
  })
  try {
    const { sender_pid, ingestor_pid } = recording
    await recording.prepare({ from: 0, to: WARM_UP_ROWS })
    const before_s = cpuSeconds(ingestor_pid)
    await recording.burst()
    await recording.committed(WARM_UP_ROWS)
    const first_us = ((cpuSeconds(ingestor_pid) - before_s) * 1e6) / WARM_UP_ROWS
    await recording.prepare(events)
    const programs = [
      { name: 'sender', pid: sender_pid },
      { name: 'ingestor', pid: ingestor_pid },
    ]
    const sample = await bench.measure(programs, async () => {
      await recording.burst()
      await recording.committed(WARM_UP_ROWS + row_count)
    })
    const cpu_us_per_row = { ...sample.cpu_us_per_row, [FIRST_ROWS]: Number(first_us.toFixed(2)) }
    return { ...sample, cpu_us_per_row }
  } finally {
    await recording.stop()
    rmSync(tape_dir, { recursive: true, force: true })
  }
}

function inThousandths(value: number): number {
  return Number(value.toFixed(3))
}
