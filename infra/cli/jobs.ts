/** `npx booktape jobs ...`: runs a job in this process, or lists the newest runs. */
import { Command, InvalidArgumentError } from 'commander'
import { OperatorError } from '#core/errors.ts'
import { silentLogger } from '#core/node/log.ts'
import type { Pool } from '#core/node/pool.ts'
import { parseDay, type Day, type Micros } from '#core/time.ts'
import {
  parseFeaturesSettings,
  parseKeepReplacedHours,
  parseTopnConfig,
} from '../../jobs/config.ts'
import { runFeatures, type FeaturesResult } from '../../jobs/datasets/run-features.ts'
import { runIndexPrices } from '../../jobs/index-prices/run-index-prices.ts'
import { selectRuns, type JobRun } from '../../jobs/runs/run-list.ts'
import { createSignalsJob } from '../../jobs/signals/run-signals.ts'
import { parseSignalsSettings } from '../../jobs/signals/settings.ts'
import { createTopnJob } from '../../jobs/topn/run-topn.ts'
import {
  type ArchiveFlags,
  codecArgument,
  hourArgument,
  runArchiveByHand,
  runRetentionByHand,
} from './archive.ts'
import {
  datasetArgument,
  runDatasetsByHand,
  runFactsByHand,
  runStaleDaysByHand,
  verifyDatasetByHand,
} from './datasets.ts'
import { wholeNumber } from './options.ts'
import { momentArgument, runRollupsByHand } from './rollups.ts'
import { DATA_DIR_OPTION, type Services, withServices } from './services.ts'

interface Flags {
  readonly dataDir: string
}

export function jobsCommand(): Command {
  const jobs = new Command('jobs').description('run a job by hand, or list the newest runs')
  const run = new Command('run').description('run a job now')
  run
    .command('features')
    .description('build and publish features and labels of one UTC day (FEATURES_*)')
    .requiredOption('--date <day>', 'the day, YYYY-MM-DD', dayArgument)
    .option(...DATA_DIR_OPTION)
    .action((flags: Flags & { readonly date: Day }) =>
      withServices(flags.dataDir, (services) => featuresAction(services, flags.date)),
    )
  run
    .command('index-prices')
    .description('fetch index prices from Deribit once and store them')
    .option('--names <names>', 'comma-separated index names', 'btc_usd,eth_usd')
    .option('--url <url>', "base URL of Deribit's REST API", 'https://www.deribit.com')
    .option(...DATA_DIR_OPTION)
    .action((flags: Flags & { readonly names: string; readonly url: string }) =>
      withServices(flags.dataDir, (services) => indexPricesAction(services.pool, flags)),
    )
  run
    .command('topn')
    .description('write orderbook_topn up to the newest depth (TOPN_MIN_MS, TOPN_MAX_MS)')
    .option(...DATA_DIR_OPTION)
    .action((flags: Flags) => withServices(flags.dataDir, topnAction))
  run
    .command('rollups')
    .description('bring bt_1s, trade_1s and depth_1s up to date, or rebuild a time range of them')
    .option('--from <time>', 'rebuild from this time, such as 2026-03-01T12:00:00Z', momentArgument)
    .option('--to <time>', 'rebuild up to this time (default: now)', momentArgument)
    .option(...DATA_DIR_OPTION)
    .action((flags: Flags & { readonly from?: Micros; readonly to?: Micros }) =>
      withServices(flags.dataDir, ({ pool }) => runRollupsByHand(pool, flags)),
    )
  run
    .command('signals')
    .description('find signals up to the newest rollups and books (SIGNALS_SYMBOLS)')
    .option(...DATA_DIR_OPTION)
    .action((flags: Flags) => withServices(flags.dataDir, signalsAction))
  run
    .command('archive')
    .description('write all due hours of the raw tables to the object store')
    .option('--hour <hour>', 'only this hour (UTC), due or not: 2024-08-08T13', hourArgument)
    .option('--date <day>', 'only the hours of this day, due or not', dayArgument)
    .option('--codec <codec>', 'zstd; or snappy or gzip for older readers', codecArgument, 'zstd')
    .option(...DATA_DIR_OPTION)
    .action((flags: Flags & ArchiveFlags) =>
      withServices(flags.dataDir, (services) => runArchiveByHand(services, flags)),
    )
  run
    .command('retention')
    .description('drop archived partitions that are too old or over the disk budget')
    .option('--dry-run', 'print the plan without dropping anything', false)
    .option(...DATA_DIR_OPTION)
    .action((flags: Flags & { readonly dryRun: boolean }) =>
      withServices(flags.dataDir, (services) => runRetentionByHand(services, flags.dryRun)),
    )
  addDatasetCommands(run)
  return jobs.addCommand(run).addCommand(
    new Command('ls')
      .description('list the newest runs')
      .option('--limit <count>', 'maximum number of runs', wholeNumber(1, 1_000), 20)
      .option(...DATA_DIR_OPTION)
      .action((flags: Flags & { readonly limit: number }) =>
        withServices(flags.dataDir, async ({ pool }) => {
          process.stdout.write(runTable(await selectRuns(pool, flags.limit)))
        }),
      ),
  )
}

function addDatasetCommands(run: Command): void {
  run
    .command('datasets')
    .description(
      'build and publish candles, clusters, trades, quotes, bars, labels and signals of a UTC day',
    )
    .requiredOption('--date <day>', 'the day, YYYY-MM-DD', dayArgument)
    .option(...DATA_DIR_OPTION)
    .action((flags: Flags & { readonly date: Day }) =>
      withServices(flags.dataDir, (services) => runDatasetsByHand(services, flags.date)),
    )
  run
    .command('facts')
    .description('build and publish klines, open interest, funding and book depth of a UTC day')
    .requiredOption('--date <day>', 'the day, YYYY-MM-DD', dayArgument)
    .option(...DATA_DIR_OPTION)
    .action((flags: Flags & { readonly date: Day }) =>
      withServices(flags.dataDir, (services) => runFactsByHand(services, flags.date)),
    )
  run
    .command('stale-days')
    .description('rebuild published days whose inputs have changed (late rows, gaps, imports)')
    .option('--dry-run', 'print the days without building anything', false)
    .option(...DATA_DIR_OPTION)
    .action((flags: Flags & { readonly dryRun: boolean }) =>
      withServices(flags.dataDir, (services) => runStaleDaysByHand(services, flags.dryRun)),
    )
  run
    .command('verify-dataset')
    .description('read a published day back and check its files')
    .requiredOption('--dataset <name>', 'name of the dataset, such as features_1s', datasetArgument)
    .requiredOption('--date <day>', 'the day, YYYY-MM-DD', dayArgument)
    .option(...DATA_DIR_OPTION)
    .action((flags: Flags & { readonly dataset: string; readonly date: Day }) =>
      withServices(flags.dataDir, (services) => verifyDatasetByHand(services, flags)),
    )
}

async function featuresAction(services: Services, date: Day): Promise<void> {
  const controller = new AbortController()
  const stop = (): void =>
    controller.abort(new OperatorError('stopped', 'Stopped. Nothing was published.'))
  process.once('SIGINT', stop).once('SIGTERM', stop)
  const { isTTY } = process.stderr
  try {
    const result = await runFeatures({
      ...services,
      ...parseFeaturesSettings(process.env),
      keep_replaced_h: parseKeepReplacedHours(process.env),
      date,
      log: silentLogger,
      now: Date.now,
      signal: controller.signal,
      onProgress(done_count, symbol_count) {
        if (isTTY) process.stderr.write(`\r${done_count} of ${symbol_count} symbols `)
      },
    })
    if (isTTY) process.stderr.write('\r\u001B[K')
    process.stdout.write(featuresReport(result))
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop)
  }
}

async function indexPricesAction(
  pool: Pool,
  { names, url }: { readonly names: string; readonly url: string },
): Promise<void> {
  const asked = names.split(',').map((name) => name.trim())
  const { row_count } = await runIndexPrices({
    pool,
    rest_url: url,
    names: asked,
    log: silentLogger,
    now: Date.now,
    random: Math.random,
    signal: new AbortController().signal,
  })
  process.stdout.write(`Prices of ${asked.join(', ')}: ${row_count} new.\n`)
}

async function topnAction({ pool }: Services): Promise<void> {
  const stopping = new AbortController()
  const stop = (): void => stopping.abort()
  process.once('SIGINT', stop).once('SIGTERM', stop)
  try {
    const { cadence } = parseTopnConfig(process.env)
    const job = createTopnJob({ pool, cadence, log: silentLogger, now: Date.now })
    const { symbol_count, row_count } = await job.run(stopping.signal)
    const state = stopping.signal.aborted ? ' Stopped early: run this again for the rest.' : ''
    process.stdout.write(`orderbook_topn: ${row_count} rows, symbols: ${symbol_count}.${state}\n`)
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop)
  }
}

async function signalsAction({ pool, store, env }: Services): Promise<void> {
  const stopping = new AbortController()
  const stop = (): void => stopping.abort()
  process.once('SIGINT', stop).once('SIGTERM', stop)
  try {
    const { symbols, keep_days } = parseSignalsSettings({ ...env, ...process.env })
    const options = { pool, store, symbols, keep_days, log: silentLogger, now: Date.now }
    const { row_count } = await createSignalsJob({ ...options, has_webhook: false }).run(
      stopping.signal,
    )
    const state = stopping.signal.aborted ? ' Stopped early: run this again for the rest.' : ''
    process.stdout.write(`Signals: ${row_count} new.${state}\n`)
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop)
  }
}

function featuresReport({ date, complete, sets }: FeaturesResult): string {
  const state = complete ? '' : ' The day has not ended: run this again after midnight UTC.'
  const lines = sets.flatMap(({ dataset, symbol_count, row_count, files }) => [
    `${dataset} of ${date}: ${row_count} rows, symbols: ${symbol_count}.${state}`,
    ...files.map(
      (file) => `${file.key}  ${file.row_count} rows  ${file.bytes} bytes  sha256 ${file.sha256}`,
    ),
  ])
  return `${lines.join('\n')}\n`
}

function runTable(runs: readonly JobRun[]): string {
  if (runs.length === 0) return 'No job has run yet.\n'
  const head = ['STARTED', 'JOB', 'WINDOW', 'STATUS', 'TRY', 'ROWS', 'BYTES', 'SECONDS', 'ERROR']
  const lines = runs.map((run) => [
    run.started_at.toISOString().slice(0, 19),
    run.job,
    run.job_window,
    run.status,
    String(run.attempt),
    run.row_count ?? '-',
    run.byte_count ?? '-',
    run.elapsed_s === null ? '-' : run.elapsed_s.toFixed(1),
    run.error ?? '',
  ])
  const widths = head.map((_, i) => Math.max(...[head, ...lines].map((line) => line[i]!.length)))
  return [head, ...lines]
    .map(
      (line) =>
        `${line
          .map((cell, i) => cell.padEnd(widths[i]!))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}

function dayArgument(text: string): Day {
  const day = parseDay(text)
  if (day === undefined) {
    throw new InvalidArgumentError('Expected a day as YYYY-MM-DD, for example 2024-08-08.')
  }
  return day
}
