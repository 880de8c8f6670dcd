/** One run: start the world, inject the planned faults, wait for recovery, and check the data. */
import { setTimeout as sleep } from 'node:timers/promises'
import { createPool, type Pool, withClient } from '#core/node/pool.ts'
import { check, complaints, type Verdict } from './checker.ts'
import { loadEvidence } from './evidence.ts'
import { type Load, startLoad } from './load.ts'
import { type Actor, DEPTH_SYMBOLS, planFaults, type PlannedFault } from './plan.ts'
import { World } from './world.ts'

export interface ChaosOptions {
  readonly seed: number
  /** How long faults strike. */
  readonly run_ms: number
  readonly symbol_count: number
  readonly events_per_s: number
  /** An operator changes what is recorded during the run. */
  readonly is_steered?: boolean
  /** Keeps every core, the memory and the disk busy during the run. */
  readonly load: boolean
  /** Keeps the files of a run that has complaints. */
  readonly keep_files: boolean
  /** Called at the start of every fault and phase. */
  readonly onProgress?: (what: string) => void
}

export interface ChaosReport extends Verdict {
  readonly seed: number
  readonly load: boolean
  readonly run_s: number
  readonly events_per_s: number
  readonly faults: readonly { readonly at_s: number; readonly name: string }[]
  /** Sentences; empty if every guarantee held. */
  readonly complaints: readonly string[]
  readonly files: string | null
}

/** Streams per symbol that have frames within seconds or after a roll call: all except books. */
const SPEAKING_COUNT = 3
const HEAL_LIMIT_MS = 120_000
/** Faults after which two sockets deliver the same streams for a while. */
const REPLACING: ReadonlySet<string> = new Set(['server_shutdown', 'silence_of_quotes'])
/** Longer than trades of the newer socket wait for older ones (the writer's OVERLAP_US). */
const SETTLE_MS = 11_000
const REFILL_PATIENCE_MS = 60_000
const POLL_MS = 500
/** The comparison covers millions of frames, perhaps on a loaded machine. */
const JUDGE_LIMIT_MS = 3_600_000

export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const world = new World(options)
  let keep_files = options.keep_files
  let load: Load | undefined
  try {
    await world.open()
    await world.ready()
    if (options.load) load = startLoad(world.dir)
    const started = performance.now()
    const faults = await strikeAll(world, options)
    const { frames_published } = await world.exchangeStatus()
    const events_per_s = (frames_published * 1_000) / (performance.now() - started)
    const pool = createPool(world.database_url, 'chaos', 1)
    try {
      await heal(world, pool, faults, options)
      options.onProgress?.('stopping')
      const ingestor_end = await endFeed(world)
      await load?.stop()
      options.onProgress?.('checking')
      const verdict = await world.within(
        'The verdict was computed',
        judge(world, pool),
        JUDGE_LIMIT_MS,
      )
      const found = [...complaints(verdict), ...troubles(world, ingestor_end)]
      keep_files = options.keep_files && found.length > 0
      return {
        seed: options.seed,
        load: options.load,
        run_s: options.run_ms / 1_000,
        events_per_s: Math.round(events_per_s),
        ...verdict,
        faults: faults.map(({ at_ms, name }) => ({ at_s: at_ms / 1_000, name })),
        complaints: found,
        files: keep_files ? world.dir : null,
      }
    } finally {
      await pool.end()
    }
  } finally {
    await load?.stop()
    await world.close(keep_files)
  }
}

async function strikeAll(world: World, options: ChaosOptions): Promise<readonly PlannedFault[]> {
  const plan = planFaults(options.seed, options.run_ms, options.is_steered)
  const started = performance.now()
  const struck: PlannedFault[] = []
  const busy = new Map<Actor, Promise<void>>()
  for (const planned of plan) {
    const { actors, fault } = planned
    await sleep(Math.max(0, planned.at_ms - (performance.now() - started)))
    // On a slow machine, an actor may need more time to recover than planned.
    await Promise.all(actors.map((actor) => busy.get(actor)))
    const as_it_was = { ...planned, at_ms: Math.round(performance.now() - started) }
    struck.push(as_it_was)
    options.onProgress?.(planned.name)
    const done = world.strike(fault)
    // The error surfaces when the next fault of its actor waits for it.
    done.catch(() => undefined)
    for (const actor of actors) busy.set(actor, done)
  }
  await Promise.all(busy.values())
  await world.tellExchange({ faults: [] })
  return struck
}

/** Waits until every stream is connected, every gap has ended, and every trade is refilled. */
async function heal(
  world: World,
  pool: Pool,
  struck: readonly PlannedFault[],
  options: ChaosOptions,
): Promise<void> {
  const { symbol_count, onProgress } = options
  onProgress?.('healing')
  await waitForStreams(world, pool, symbol_count)
  if (struck.some(({ name }) => REPLACING.has(name))) {
    await sleep(SETTLE_MS)
    await waitForStreams(world, pool, symbol_count)
  }
  onProgress?.('refilling')
  // From now on no new events; the exchange still answers requests.
  await world.tellExchange({ actions: [{ kind: 'halt' }] })
  const halted_at = performance.now()
  while ((await world.exchangeStatus()).state !== 'done') {
    if (performance.now() - halted_at > HEAL_LIMIT_MS)
      throw world.failure('The exchange did not halt')
    await sleep(POLL_MS)
  }
  await waitForRefill(pool)
}

/** Gives up when repair makes no more progress; the verdict then lists what is missing. */
async function waitForRefill(pool: Pool): Promise<void> {
  let fewest = Infinity
  let progress_at = performance.now()
  for (;;) {
    const open = await openTradeGaps(pool)
    if (open < fewest) {
      fewest = open
      progress_at = performance.now()
    }
    if (open === 0 || performance.now() - progress_at > REFILL_PATIENCE_MS) return
    await sleep(POLL_MS)
  }
}

async function waitForStreams(world: World, pool: Pool, symbol_count: number): Promise<void> {
  await world.ready()
  const deadline = performance.now() + HEAL_LIMIT_MS
  const areHealed = async (): Promise<boolean> => {
    await world.tellExchange({ actions: [{ kind: 'roll_call' }] })
    await sleep(POLL_MS)
    if (world.status?.state !== 'live') return false
    const { rows } = await pool.query<{ heard: number }>(
      `select count(*)::int as heard from marketdata.stream_offsets
        where channel <> 'liquidations' and deaf_cause is null and last_id is not null`,
    )
    return (
      rows[0]?.heard ===
      symbol_count * SPEAKING_COUNT + Math.min(symbol_count, DEPTH_SYMBOLS.length)
    )
  }
  while (!(await areHealed())) {
    if (performance.now() > deadline)
      throw world.failure('Some streams were not connected again in time')
  }
}

async function openTradeGaps(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ open: number }>(
    "select count(*)::int as open from marketdata.gaps where channel = 'trades' and repaired_at is null and cause <> 'operator'",
  )
  return rows[0]!.open
}

/** After everything sent has arrived: waits for its commit and stops the programs. */
async function endFeed(world: World): Promise<string> {
  await world.drain()
  return world.endFeed()
}

async function judge(world: World, pool: Pool): Promise<Verdict> {
  return withClient(pool, async (client) => {
    await loadEvidence(client, world.truth_file, world.frames())
    return check(client)
  })
}

function troubles(world: World, ingestor_end: string): readonly string[] {
  const crashes = world.crashes.map((reason) => `The ingestor exited by itself: ${reason}`)
  return ingestor_end === 'exit code 0'
    ? crashes
    : [...crashes, `The ingestor stopped with ${ingestor_end}`]
}
