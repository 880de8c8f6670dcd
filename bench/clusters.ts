/**
 * What it costs to keep the footprint bars of 200 symbols up, and whether the recording notices. In
 * one run, with one ingestor at a steady rate and the rollups, which say when minutes are final:
 *
 *   (a) without the cluster engine, (b) with one that keeps all symbols up, (a) again.
 *
 * Of each: from receipt to commit of every row, and CPU time. Of (b) also: the memory of the
 * engine, what it stored, and how long after their end minutes were stored. At the end the stored
 * minutes are compared with the trades. Sender, ingestor, Postgres, rollups and engine share the
 * cores.
 *
 *   npm run bench:clusters [-- --rate N --seconds N --cpu-prof DIR]
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { silentLogger } from '#core/node/log.ts'
import { migrate } from '#core/node/migrate.ts'
import { createPool } from '#core/node/pool.ts'
import { startObjectStore } from '../infra/local/object-store.ts'
import { NODE_ARGS } from '../infra/local/child.ts'
import { freePort } from '../infra/local/ports.ts'
import { POSTGRES_SETTINGS, startPostgres } from '../infra/local/postgres.ts'
import { runRollups } from '../jobs/rollups/run-rollups.ts'
import { startLoop } from '../jobs/runs/loop.ts'
import { minutesAgainstTrades, sizeOfClusters, storedAfter } from './clusters/stored.ts'
import { Bench } from './ingest/bench.ts'
import { latency } from './ingest/load.ts'
import { CORE_COUNT, cpuSeconds, residentBytes, treeCpuSeconds } from './ingest/machine.ts'
import { startProgram, startRecording } from './ingest/recording.ts'
import { SYMBOL_COUNT } from './ingest/workload.ts'

const { values } = parseArgs({
  options: {
    rate: { type: 'string', default: '5000' },
    /** Of each part; whole minutes, because the engine works when a minute is over. */
    seconds: { type: 'string', default: '120' },
    /** Folder for the engine's CPU profile. */
    'cpu-prof': { type: 'string' },
  },
})
const [events_per_s, seconds] = [Number(values.rate), Number(values.seconds)]
/** Before a part is measured: connections are made, code is compiled. */
const SETTLE_S = 3
/** As the daemon's default. */
const ROLLUPS_EVERY_S = 30
const SAMPLE_MS = 500
const MB = 1_000_000

const dir = mkdtempSync(join(tmpdir(), 'booktape-bench-'))
// Postgres may run as another user.
chmodSync(dir, 0o755)
const postgres = await startPostgres({
  dir: join(dir, 'postgres'),
  port: await freePort(),
  password: 'bench',
  settings: { ...POSTGRES_SETTINGS, track_commit_timestamp: 'on' },
})
const store = await startObjectStore({
  dir: join(dir, 'store'),
  port: 0,
  access_key_id: 'bench',
  secret_access_key: 'bench',
})
const pool = createPool(postgres.url, 'bench', 3)
try {
  await migrate(pool)
  await new Bench(pool, postgres.pid, 0).registerSymbols()
  const recording = await startRecording({
    database_url: postgres.url,
    ingestor_id: 'bench',
    tape_dir: join(dir, 'tape'),
    node_args: NODE_ARGS,
  })
  const { ingestor_pid, sender_pid } = recording
  const rollups = startLoop({
    job: 'rollups',
    every_s: ROLLUPS_EVERY_S,
    run: (signal) => runRollups({ pool, log: silentLogger, now: Date.now, signal }),
    log: silentLogger,
  })
  const measurePart = async (engine_pid?: number) => {
    const used = () => ({
      ingestor: cpuSeconds(ingestor_pid),
      postgres: treeCpuSeconds(postgres.pid),
      sender: cpuSeconds(sender_pid),
      rollups: cpuSeconds(process.pid),
      engine: engine_pid === undefined ? 0 : cpuSeconds(engine_pid),
    })
    const from_us = Date.now() * 1_000
    const before = used()
    let engine_bytes_max = 0
    const until_ms = performance.now() + seconds * 1_000
    while (performance.now() < until_ms) {
      await sleep(Math.min(SAMPLE_MS, Math.max(0, until_ms - performance.now())))
      if (engine_pid === undefined) continue
      engine_bytes_max = Math.max(engine_bytes_max, residentBytes(engine_pid))
    }
    const after = used()
    const share = (name: keyof typeof after): number =>
      Number(((after[name] - before[name]) / seconds).toFixed(3))
    return {
      span: [from_us, Date.now() * 1_000] as const,
      engine_bytes_max,
      cpu_shares: {
        ingestor: share('ingestor'),
        postgres: share('postgres'),
        sender: share('sender'),
        rollups: share('rollups'),
        engine: share('engine'),
      },
    }
  }
  const total_s = 3 * (seconds + SETTLE_S) + 40
  let is_sent = false
  const sending = recording
    .pace([{ events_per_s, seconds: total_s }])
    .finally(() => (is_sent = true))
  await sleep(SETTLE_S * 1_000)
  const alone = await measurePart()

  const engine = startProgram<{ readonly type: 'ready'; readonly url: string }>(
    '../../jobs/clusters/main.ts',
    {
      DATABASE_URL: postgres.url,
      S3_ENDPOINT: store.config.endpoint,
      S3_BUCKET: store.config.bucket,
      S3_REGION: store.config.region,
      S3_ACCESS_KEY_ID: store.config.access_key_id,
      S3_SECRET_ACCESS_KEY: store.config.secret_access_key,
      CLUSTERS_PORT: '0',
      CLUSTERS_SECRET: 'a secret of the benchmark',
      CLUSTERS_SYMBOLS: 'all',
      LOG_LEVEL: 'warn',
    },
    values['cpu-prof'] === undefined
      ? NODE_ARGS
      : [...NODE_ARGS, '--cpu-prof', `--cpu-prof-dir=${values['cpu-prof']}`],
  )
  await engine.message('ready')
  // The minutes since the hour began are computed first.
  while ((await sizeOfClusters(pool)).symbol_count < SYMBOL_COUNT) await sleep(100)
  await sleep(SETTLE_S * 1_000)
  const with_engine = await measurePart(engine.child.pid)
  await engine.stop()

  await sleep(SETTLE_S * 1_000)
  const alone_again = await measurePart()
  if (is_sent) throw new Error('The sender ended before the last part was measured.')
  const { sent_count, behind_ms_max } = await sending
  await recording.committed(sent_count)
  await rollups.stop()
  const partOf = async ({ span, cpu_shares }: Awaited<ReturnType<typeof measurePart>>) => ({
    cpu_shares,
    commit: await latency(pool, ...span),
  })
  const result = {
    cores: CORE_COUNT,
    load_average: loadavg()[0],
    events_per_s,
    symbols: SYMBOL_COUNT,
    sender_behind_ms_max: behind_ms_max,
    alone: await partOf(alone),
    with_engine: await partOf(with_engine),
    alone_again: await partOf(alone_again),
    engine_memory_mb_max: Math.round(with_engine.engine_bytes_max / MB),
    stored: await sizeOfClusters(pool),
    stored_s_after_the_minute: await storedAfter(pool, ...with_engine.span),
    wrong_minutes: await minutesAgainstTrades(pool),
  }
  await recording.stop()
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`)
  if (result.wrong_minutes > 0) throw new Error('Stored minutes differ from their trades.')
} finally {
  await pool.end()
  await store.stop()
  await postgres.stop()
  rmSync(dir, { recursive: true, force: true })
}
