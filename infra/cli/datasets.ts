/** `npx booktape jobs run datasets`, `facts`, `stale-days` and `verify-dataset`: their output. */
import { InvalidArgumentError } from 'commander'
import { OperatorError } from '#core/errors.ts'
import { silentLogger } from '#core/node/log.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import type { Pool } from '#core/node/pool.ts'
import { isDatasetName } from '#core/object-keys.ts'
import type { Day } from '#core/time.ts'
import {
  parseDatasetsSettings,
  parseFeaturesSettings,
  parseKeepReplacedHours,
} from '../../jobs/config.ts'
import type { DayJobOptions, DayResult, PublishedSet } from '../../jobs/datasets/day-job.ts'
import { DATASETS_JOB, runDatasets } from '../../jobs/datasets/run-datasets.ts'
import { FACTS_JOB, runFacts } from '../../jobs/datasets/run-facts.ts'
import { runFeatures } from '../../jobs/datasets/run-features.ts'
import { selectStaleDays } from '../../jobs/datasets/stale-days.ts'
import { runVerify, type VerifyResult } from '../../jobs/datasets/verify/run-verify.ts'
import { EXIT_FAILED } from './exit-codes.ts'

/** A day has one CSV file per symbol, so the output counts them instead of listing them. */
const CSV_FORMAT = 'csv.gz'

interface Services {
  readonly pool: Pool
  readonly store: ObjectStore
  readonly work_dir: string
}

export function runDatasetsByHand(services: Services, date: Day): Promise<void> {
  const settings = parseDatasetsSettings(process.env)
  return buildByHand(services, date, (options) => runDatasets({ ...options, ...settings }))
}

/** Datasets of imported facts: those of the day's files. */
export async function runFactsByHand(services: Services, date: Day): Promise<void> {
  const none = `No file of ${date} with klines, open interest, funding or book depth was imported.`
  await buildByHand(services, date, (options) => runFacts({ ...options, which: 'all' }), none)
}

async function buildByHand(
  services: Services,
  date: Day,
  build: (options: DayJobOptions) => Promise<DayResult>,
  none?: string,
): Promise<void> {
  await stoppable(async (signal) => {
    const { isTTY } = process.stderr
    const { sets, complete } = await build({
      ...services,
      date,
      log: silentLogger,
      now: Date.now,
      signal,
      keep_replaced_h: parseKeepReplacedHours(process.env),
      onProgress(done_count, count) {
        if (isTTY) process.stderr.write(`\r${done_count} of ${count} done `)
      },
    })
    if (isTTY) process.stderr.write('\r\u001B[K')
    for (const set of sets) process.stdout.write(setText(set, date, complete))
    if (sets.length === 0 && none !== undefined) process.stdout.write(`${none}\n`)
  })
}

function setText(
  { dataset, symbol_count, row_count, files }: PublishedSet,
  date: Day,
  is_complete: boolean,
): string {
  const state = is_complete ? '' : ' The day has not ended: run this again after midnight UTC.'
  const csv = files.filter(({ format }) => format === CSV_FORMAT)
  const csv_bytes = csv.reduce((sum, { bytes }) => sum + bytes, 0)
  const lines = [
    `${dataset} of ${date}: ${row_count} rows, symbols: ${symbol_count}.${state}`,
    ...files
      .filter(({ format }) => format !== CSV_FORMAT)
      .map(
        (file) => `${file.key}  ${file.row_count} rows  ${file.bytes} bytes  sha256 ${file.sha256}`,
      ),
    ...(csv.length === 0
      ? []
      : [`CSV files in the Tardis format: ${csv.length}, ${csv_bytes} bytes`]),
  ]
  return `${lines.join('\n')}\n`
}

export async function runStaleDaysByHand(services: Services, is_dry_run: boolean): Promise<void> {
  const { pool, store } = services
  const stale = await selectStaleDays(pool, store, Date.now())
  if (stale.length === 0) process.stdout.write('All published days are up to date.\n')
  await stoppable(async (signal) => {
    for (const { job, date, why } of stale) {
      process.stdout.write(`${job} of ${date}: ${why}.\n`)
      if (is_dry_run) continue
      const keep_replaced_h = parseKeepReplacedHours(process.env)
      const options = {
        ...services,
        date,
        log: silentLogger,
        now: Date.now,
        signal,
        keep_replaced_h,
      }
      if (job === FACTS_JOB) await runFacts({ ...options, which: 'changed' })
      else if (job === DATASETS_JOB) {
        await runDatasets({ ...options, ...parseDatasetsSettings(process.env) })
      } else await runFeatures({ ...options, ...parseFeaturesSettings(process.env) })
      process.stdout.write(`${job} of ${date}: rebuilt.\n`)
    }
  })
}

export async function verifyDatasetByHand(
  services: Services,
  { dataset, date }: { readonly dataset: string; readonly date: Day },
): Promise<void> {
  const result = await runVerify({ ...services, dataset, date, log: silentLogger, now: Date.now })
  process.stdout.write(verifyText(dataset, date, result))
  if (result.findings.length > 0) process.exitCode = EXIT_FAILED
}

export function datasetArgument(text: string): string {
  if (isDatasetName(text)) return text
  throw new InvalidArgumentError('Expected a name such as features_1s.')
}

function verifyText(dataset: string, date: Day, result: VerifyResult): string {
  const { schema_version, file_count, row_count, byte_count, findings } = result
  const lines = findings.map(({ file, sentence }) => `  - ${file}: ${sentence}`)
  const state = findings.length === 0 ? 'ok' : `${findings.length} found`
  const scope = `${file_count} files, ${row_count} rows, ${byte_count} bytes`
  return [`${dataset} v${schema_version} of ${date}: ${state} (${scope})`, ...lines, ''].join('\n')
}

async function stoppable(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const controller = new AbortController()
  const stop = (): void =>
    controller.abort(new OperatorError('stopped', 'Stopped. Run this again to publish the rest.'))
  process.once('SIGINT', stop).once('SIGTERM', stop)
  try {
    await work(controller.signal)
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop)
  }
}
