/**
 * What readers of the live stream cost the recording, and how long a message takes to them. In one
 * run, with one ingestor at a steady rate:
 *
 *   (a) without a live server, (b) with one and its readers, (a) again.
 *
 * Of each: from receipt to commit of every row, and CPU time. Of (b) also: from receipt to delivery
 * of every message, and the memory of the live server every ten seconds. Sender, ingestor,
 * Postgres, live server and readers share the cores.
 *
 *   npm run bench:live [-- --readers N --symbols N --rate N --seconds N --live-seconds N
 *                          --cpu-prof DIR]
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { migrate } from '#core/node/migrate.ts'
import { createPool } from '#core/node/pool.ts'
import { NODE_ARGS } from '../infra/local/child.ts'
import { freePort } from '../infra/local/ports.ts'
import { POSTGRES_SETTINGS, startPostgres } from '../infra/local/postgres.ts'
import { LIVE_NODE_OPTIONS } from '../infra/local/programs.ts'
import { Bench } from './ingest/bench.ts'
import { latency } from './ingest/load.ts'
import { CORE_COUNT, cpuSeconds, treeCpuSeconds } from './ingest/machine.ts'
import { startProgram, startRecording } from './ingest/recording.ts'
import { SYMBOLS } from './ingest/workload.ts'
import { watchMemory } from './live/memory-curve.ts'
import type { FromReaders, ToReaders } from './live/readers.ts'

const { values } = parseArgs({
  options: {
    readers: { type: 'string', default: '100' },
    /** That each of them hears. */
    symbols: { type: 'string', default: '4' },
    rate: { type: 'string', default: '10000' },
    seconds: { type: 'string', default: '30' },
    /** Of (b), if it shall be longer. */
    'live-seconds': { type: 'string' },
    /** Folder for the live server's CPU profile. */
    'cpu-prof': { type: 'string' },
  },
})
const [reader_count, symbol_count, events_per_s, part_s] = [
  Number(values.readers),
  Number(values.symbols),
  Number(values.rate),
  Number(values.seconds),
]
const live_s = Number(values['live-seconds'] ?? part_s)
/** Before a part is measured: connections are made, code is compiled. */
const SETTLE_S = 3
/** For the starts of the live server and its readers, if the machine is shared. */
const START_S = 30
const INGESTOR_ID = 'bench'

const dir = mkdtempSync(join(tmpdir(), 'booktape-bench-'))
// Postgres may run as another user.
chmodSync(dir, 0o755)
const postgres = await startPostgres({
  dir: join(dir, 'postgres'),
  port: await freePort(),
  password: 'bench',
  settings: { ...POSTGRES_SETTINGS, track_commit_timestamp: 'on' },
})
const pool = createPool(postgres.url, 'bench', 1)
const tape_dir = join(dir, 'tape')
try {
  await migrate(pool)
  await new Bench(pool, postgres.pid, 0).registerSymbols()
  const recording = await startRecording({
    database_url: postgres.url,
    ingestor_id: INGESTOR_ID,
    tape_dir,
    node_args: NODE_ARGS,
  })
  const { ingestor_pid, sender_pid } = recording
  const recordingPart = async (seconds: number, live_pid?: number) => {
    const used = () => ({
      ingestor: cpuSeconds(ingestor_pid),
      postgres: treeCpuSeconds(postgres.pid),
      sender: cpuSeconds(sender_pid),
      live: live_pid === undefined ? 0 : cpuSeconds(live_pid),
    })
    const from_us = Date.now() * 1_000
    const before = used()
    await sleep(seconds * 1_000)
    const after = used()
    const to_us = Date.now() * 1_000
    const share = (name: keyof typeof after): number =>
      Number(((after[name] - before[name]) / seconds).toFixed(2))
    return {
      span: [from_us, to_us] as const,
      ingestor_cpu_share: share('ingestor'),
      postgres_cpu_share: share('postgres'),
      sender_cpu_share: share('sender'),
      live_cpu_share: share('live'),
    }
  }
  const total_s = 2 * part_s + live_s + 3 * SETTLE_S + START_S
  let is_sent = false
  const sending = recording
    .pace([{ events_per_s, seconds: total_s }])
    .finally(() => (is_sent = true))
  await sleep(SETTLE_S * 1_000)
  const alone = await recordingPart(part_s)

  const live = startProgram<{ readonly type: 'ready'; readonly url: string }>(
    '../../ingestor/live/main.ts',
    {
      DATABASE_URL: postgres.url,
      LIVE_TAPES: `${INGESTOR_ID}=${tape_dir}`,
      LIVE_PUBLIC: 'true',
      LIVE_PORT: '0',
      LOG_LEVEL: 'warn',
      NODE_OPTIONS: LIVE_NODE_OPTIONS,
    },
    values['cpu-prof'] === undefined
      ? NODE_ARGS
      : [...NODE_ARGS, '--cpu-prof', `--cpu-prof-dir=${values['cpu-prof']}`],
  )
  const { url: live_url } = await live.message('ready')
  const readers = startProgram<FromReaders>('../live/readers.ts', {}, NODE_ARGS)
  await readers.message('ready')
  const connect: ToReaders = { type: 'connect', live_url, readers: symbolsOfReaders() }
  readers.child.send(connect)
  await readers.message('connected')
  await sleep(SETTLE_S * 1_000)
  const measure: ToReaders = { type: 'measure', seconds: live_s }
  readers.child.send(measure)
  const memory = watchMemory(live.child.pid!)
  const delivered = readers.message('measured')
  const with_readers = await recordingPart(live_s, live.child.pid!)
  const { messages_per_s, p50_ms, p99_ms, max_ms } = await delivered
  const live_memory = memory()
  await readers.stop()
  await live.stop()

  await sleep(SETTLE_S * 1_000)
  const alone_again = await recordingPart(part_s)
  if (is_sent) throw new Error('The sender ended before the last part was measured.')
  const { sent_count, behind_ms_max } = await sending
  await recording.committed(sent_count)
  const withLatency = async ({ span, ...part }: Awaited<ReturnType<typeof recordingPart>>) => ({
    ...part,
    commit: await latency(pool, ...span),
  })
  const result = {
    cores: CORE_COUNT,
    load_average: loadavg()[0],
    events_per_s,
    readers: reader_count,
    symbols_per_reader: symbol_count,
    sender_behind_ms_max: behind_ms_max,
    alone: await withLatency(alone),
    with_readers: await withLatency(with_readers),
    alone_again: await withLatency(alone_again),
    delivery: { messages_per_s, p50_ms, p99_ms, max_ms },
    live_memory,
  }
  await recording.stop()
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`)
} finally {
  await pool.end()
  await postgres.stop()
  rmSync(dir, { recursive: true, force: true })
}

/** Each symbol has about as many readers as any other. */
function symbolsOfReaders(): readonly (readonly string[])[] {
  const names = SYMBOLS.map(({ listing }) => listing.symbol)
  const apart = Math.ceil(names.length / symbol_count)
  const symbolsOf = (reader: number): readonly string[] =>
    Array.from({ length: symbol_count }, (_, at) => names[(reader + at * apart) % names.length]!)
  return Array.from({ length: reader_count }, (_, reader) => symbolsOf(reader))
}
