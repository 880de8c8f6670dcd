/**
 * Measures the ingestor's speed and compares it with the best and the usual way to fill the same
 * tables, in one run on one machine:
 *
 *   (a) raw binary COPY of pre-encoded rows: the upper bound;
 *   (b) the whole ingestor, from frames on sockets to committed rows, at full speed;
 *   (c) multi-row INSERTs of 500 rows with ON CONFLICT DO NOTHING: the usual way;
 *   (d) the design load: 10,000 events per second for a minute, with 30,000 for ten seconds in the
 *       middle; CPU, memory, and the time from receipt to commit of every row.
 *
 *   npm run bench:ingest [-- --quick] [-- --rows N --rounds N --cpu-prof DIR --scrape-s N]
 *
 * The rows of (a), (b) and (c) must be identical. The output has CPU time as well as wall time,
 * because the sender, the ingestor, Postgres and other programs share the cores. "By CPU time" is
 * the rate that the CPU time per row would allow if the program had the cores for itself.
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
import { CORE_COUNT } from './ingest/machine.ts'
import { startRecording } from './ingest/recording.ts'
import { printTable } from './ingest/table.ts'

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rows: { type: 'string' },
    rounds: { type: 'string' },
    /** Folder for the ingestor's CPU profiles. */
    'cpu-prof': { type: 'string' },
    /** The metrics are scraped every N seconds in (d). */
    'scrape-s': { type: 'string' },
  },
})
const row_count = Number(values.rows ?? (values.quick ? 300_000 : 600_000))
const round_count = Number(values.rounds ?? (values.quick ? 1 : 3))
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
  const bench = new Bench(pool, postgres.pid, row_count)
  const symbol_ids = await bench.registerSymbols()
  const samples: Record<'copy' | 'ingestor' | 'insert', Sample[]> = {
    copy: [],
    ingestor: [],
    insert: [],
  }
  for (let round = 1; round <= round_count; round++) {
    const copies = prepareCopies(row_count, symbol_ids)
    samples.copy.push(await bench.measure([], () => copyAll(pool, copies)))
    samples.ingestor.push(await recordBurst(bench, `round-${round}`))
    const inserts = prepareInserts(row_count, symbol_ids)
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
} finally {
  await pool.end()
  await postgres.stop()
  rmSync(dir, { recursive: true, force: true })
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
    await recording.prepare(row_count)
    const { sender_pid, ingestor_pid } = recording
    const programs = [
      { name: 'sender', pid: sender_pid },
      { name: 'ingestor', pid: ingestor_pid },
    ]
    return await bench.measure(programs, async () => {
      await recording.burst()
      await recording.committed(row_count)
    })
  } finally {
    await recording.stop()
    rmSync(tape_dir, { recursive: true, force: true })
  }
}

function inThousandths(value: number): number {
  return Number(value.toFixed(3))
}
