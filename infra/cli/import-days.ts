/**
 * After an import: rollups, archive, features, datasets and the lake of the days that got rows, by
 * the jobs that the daemon runs, and retention, so that a long import does not fill the disk.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { describeError, OperatorError } from '#core/errors.ts'
import { silentLogger } from '#core/node/log.ts'
import { dayRange, type Day, fromMillis, hourStart, micros } from '#core/time.ts'
import { selectHours } from '../../jobs/archive/due-hours.ts'
import { runArchive } from '../../jobs/archive/run-archive.ts'
import {
  parseFeaturesSettings,
  parseKeepReplacedHours,
  parseTopnConfig,
} from '../../jobs/config.ts'
import { PUBLISHED } from '../../jobs/datasets/published.ts'
import { runDatasets } from '../../jobs/datasets/run-datasets.ts'
import { runFacts } from '../../jobs/datasets/run-facts.ts'
import { runFeatures } from '../../jobs/datasets/run-features.ts'
import { selectDueFactDays } from '../../jobs/facts/fact-days.ts'
import { markBuilt, selectUnbuilt, type UnbuiltFile } from '../../jobs/import/unbuilt-days.ts'
import { runLake } from '../../jobs/lake/run-lake.ts'
import { runRetention } from '../../jobs/retention/run-retention.ts'
import { parseRetentionSettings } from '../../jobs/retention/settings.ts'
import { type RollupsOptions, runRollups } from '../../jobs/rollups/run-rollups.ts'
import { createTopnJob } from '../../jobs/topn/run-topn.ts'
import type { Services } from './services.ts'

export interface FailedStep {
  readonly step: string
  readonly error: unknown
}

export interface BuildOptions {
  readonly services: Services
  /** Paths of files; those that are imported and not built yet count. */
  readonly files: readonly string[]
  readonly signal: AbortSignal
  readonly onStep?: (step: string, outcome: string) => void
}

/** The daemon runs the same jobs; they take turns [ms]. */
const TURN_MS = 500
const TURNS_MAX = 240
/** A depth stream is quiet after this long, so that its last rows are made too [ms]. */
const QUIET_MS = 30_000

/** What fails is left to the jobs daemon, or to the next import of these files. */
export async function buildImportedDays(options: BuildOptions): Promise<readonly FailedStep[]> {
  const { services, files, signal, onStep } = options
  const { pool, env } = services
  const failed: FailedStep[] = []
  const unbuilt = await selectUnbuilt(pool, files)
  const days = [...new Set(unbuilt.flatMap((file) => file.days))].toSorted()
  const fact_days = await selectDueFactDays(pool, files)
  if (days.length === 0 && fact_days.length === 0) return failed
  const step = async (name: string, work: () => Promise<unknown>): Promise<void> => {
    signal.throwIfAborted()
    try {
      await inTurn(work, signal)
      onStep?.(name, 'done')
    } catch (error) {
      signal.throwIfAborted()
      failed.push({ step: name, error })
      onStep?.(name, describeError(error))
    }
  }
  const job = { ...services, log: silentLogger, now: Date.now, signal }
  const kept = { keep_replaced_h: parseKeepReplacedHours(env) }
  if (days.length > 0) await buildRows(options, unbuilt, job, step)
  for (const date of days) await buildDay(services, date, signal, step)
  for (const { date, tables } of fact_days) {
    const names = tables.join(', ')
    await step(`${names} of ${date}`, () => runFacts({ ...job, ...kept, date, which: 'changed' }))
  }
  await step('lake', () => runLake({ ...job, datasets: PUBLISHED, which: 'new' }))
  if (failed.length === 0) await markBuilt(pool, unbuilt, new Date())
  await step('retention', () => runRetention({ ...job, settings: parseRetentionSettings(env) }))
  return failed
}

type Step = (name: string, work: () => Promise<unknown>) => Promise<void>

/** Rollups, and the samples of imported books. */
async function buildRows(
  { services: { pool, env }, signal }: BuildOptions,
  unbuilt: readonly UnbuiltFile[],
  job: RollupsOptions,
  step: Step,
): Promise<void> {
  await step('rows per second', () => runRollups(job))
  if (!unbuilt.some((file) => file.table_name === 'depth_events')) return
  const { cadence } = parseTopnConfig(env)
  let later_ms = 0
  const topn = createTopnJob({ ...job, pool, cadence, now: () => Date.now() + later_ms })
  await step('orderbook_topn', async () => {
    await topn.run(signal)
    later_ms = QUIET_MS
    await topn.run(signal)
  })
  await step('rows per second, with books', () => runRollups(job))
}

async function buildDay(
  services: Services,
  date: Day,
  signal: AbortSignal,
  step: Step,
): Promise<void> {
  const { pool, env } = services
  const job = { ...services, log: silentLogger, now: Date.now, signal }
  const { from, to } = dayRange(date)
  const over = hourStart(fromMillis(Date.now()))
  const hours = await selectHours(pool, from, micros(Math.min(to, over)))
  await step(`archive of ${date}`, () => runArchive({ ...job, codec: 'zstd', hours }))
  const day = { ...job, date, keep_replaced_h: parseKeepReplacedHours(env) }
  await step(`features of ${date}`, () => runFeatures({ ...day, ...parseFeaturesSettings(env) }))
  await step(`datasets of ${date}`, () => runDatasets(day))
}

async function inTurn(work: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
  for (let turn = 1; ; turn++) {
    try {
      await work()
      return
    } catch (error) {
      const is_taken = error instanceof OperatorError && error.code === 'run_in_progress'
      if (!is_taken || turn === TURNS_MAX) throw error
      await sleep(TURN_MS, undefined, { signal })
    }
  }
}
