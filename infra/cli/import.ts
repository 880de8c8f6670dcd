/** `npx booktape import`: history from other archives into the raw tables and all that follows. */
import { Argument, Command, InvalidArgumentError, Option } from 'commander'
import { OperatorError } from '#core/errors.ts'
import { isExchange, EXCHANGES, type Exchange } from '#core/symbols.ts'
import { type Day, parseDay } from '#core/time.ts'
import { type DaySummary, summarizeDays } from '../../jobs/import/day-summary.ts'
import { kindsOf, listFiles, type Source, SOURCES } from '../../jobs/import/files.ts'
import { createFolderOrigin } from '../../jobs/import/folder-origin.ts'
import type { FileResult } from '../../jobs/import/results.ts'
import type { SourceFile } from '../../jobs/import/kind.ts'
import type { Origin } from '../../jobs/import/origin.ts'
import { runImport } from '../../jobs/import/run-import.ts'
import { createServerOrigin } from '../../jobs/import/server-origin.ts'
import { isBounded, runBounded } from './bounded-process.ts'
import { buildImportedDays } from './import-days.ts'
import { importProgress, isWhole, megabytes } from './import-progress.ts'
import { DATA_DIR_OPTION, type Services, withServices } from './services.ts'

const SERVERS: Readonly<Record<Source, string>> = {
  binance: 'https://data.binance.vision/',
  tardis: 'https://datasets.tardis.dev/',
}
/** Between two requests to a server. */
const PAUSE_MS = 250
const EXIT_NOT_WHOLE = 1

interface Flags {
  readonly exchange: Exchange
  readonly kinds?: readonly string[]
  readonly symbols: readonly string[]
  readonly from: Day
  readonly to: Day
  readonly folder?: string
  readonly url?: string
  readonly monthly: boolean
  readonly plan: boolean
  readonly recheck: boolean
  readonly build: boolean
  readonly dataDir: string
}

export function importCommand(): Command {
  return new Command('import')
    .description("import history: Binance's public archive, or CSV files of Tardis")
    .addArgument(new Argument('<source>', 'whose files').choices(SOURCES))
    .requiredOption('--symbols <symbols>', 'comma list, such as BTCUSDT,ETHUSDT', list)
    .requiredOption('--from <day>', 'first day, YYYY-MM-DD', dayArgument)
    .requiredOption('--to <day>', 'last day, YYYY-MM-DD', dayArgument)
    .option('--kinds <kinds>', 'comma list of the kinds below (default: aggTrades or trades)', list)
    .option('--exchange <exchange>', 'exchange of the symbols', exchangeArgument, 'binance-futures')
    .addOption(
      new Option('--folder <dir>', 'read downloaded files instead of asking a server').conflicts(
        'url',
      ),
    )
    .option('--url <url>', 'ask another server, with the same paths', urlArgument)
    .option('--monthly', 'binance: fetch whole months as one file each', false)
    .option('--plan', 'print files and sizes, and fetch nothing', false)
    .option('--recheck', 'import files again that the source has replaced', false)
    .option('--no-build', 'leave rollups, archive and datasets of the days to the jobs daemon')
    .option(...DATA_DIR_OPTION)
    .addHelpText('after', helpText())
    .action((source: Source, flags: Flags) =>
      isBounded()
        ? withServices(flags.dataDir, (services) => run(services, source, flags))
        : runBounded(),
    )
}

const STANDARD_KINDS: Readonly<Record<Source, readonly string[]>> = {
  binance: ['aggTrades'],
  tardis: ['trades'],
}

function helpText(): string {
  const lines = SOURCES.flatMap((source) => {
    const { supported, unsupported } = kindsOf(source)
    const names = supported
      .map((kind) => `${kind.name} (${'facts' in kind ? kind.facts.name : kind.table})`)
      .join(', ')
    return [
      `\nKinds of ${source}: ${names}.`,
      ...unsupported.map(({ name, why }) => `Not ${name}: ${why}.`),
    ]
  })
  const exits = '\nExit code: 0 every day is whole, 1 something is missing or failed.'
  return `${lines.join('\n')}\nTARDIS_API_KEY is sent to Tardis.\n${exits}`
}

async function run(services: Services, source: Source, flags: Flags): Promise<void> {
  const { kinds = STANDARD_KINDS[source], from, to } = flags
  if (from > to) throw new OperatorError('import_days', `${from} is after ${to}.`)
  const stopping = new AbortController()
  const stop = (): void =>
    stopping.abort(new OperatorError('stopped', 'Stopped. Run this again to import the rest.'))
  // `disconnect`: the process that started this one was killed.
  process.once('SIGINT', stop).once('SIGTERM', stop).once('SIGHUP', stop).once('disconnect', stop)
  if (process.connected === false) stop()
  try {
    const files = listFiles({ ...flags, source, kinds, is_monthly: flags.monthly })
    const origin = await originOf(source, flags, stopping.signal)
    if (flags.plan) return await printPlan(origin, files)
    await importFiles(services, flags, origin, files, stopping.signal)
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop).off('SIGHUP', stop).off('disconnect', stop)
  }
}

/** A day, or month, at a time: built before the next one is fetched, so that the disk suffices. */
async function importFiles(
  services: Services,
  { recheck, build }: Flags,
  origin: Origin,
  files: readonly SourceFile[],
  signal: AbortSignal,
): Promise<void> {
  const progress = importProgress(files)
  const results: FileResult[] = []
  let failed_steps = 0
  for (const [, part] of Map.groupBy(files, ({ to }) => to)) {
    const options = { ...services, origin, is_recheck: recheck, now: Date.now, signal }
    results.push(...(await runImport({ ...options, ...progress, files: part })))
    if (!build) continue
    const failed = await buildImportedDays({
      services,
      files: part.map(({ path }) => path),
      signal,
      onStep: progress.onStep,
    })
    failed_steps += failed.length
  }
  const days = await summarizeDays(services.pool, results)
  for (const day of days) process.stdout.write(`${summaryText(day)}\n`)
  if (failed_steps > 0 || !results.every(isWhole) || days.some(hasProblem)) {
    process.exitCode = EXIT_NOT_WHOLE
  }
}

function summaryText({ day, problems, stream_count }: DaySummary): string {
  if (problems.length > 0) return `${day} NOT WHOLE: ${problems.join('; ')}`
  return stream_count === 1 ? `${day} whole` : `${day} whole: ${stream_count} streams`
}

function hasProblem({ problems }: DaySummary): boolean {
  return problems.length > 0
}

async function originOf(
  source: Source,
  { folder, url }: Flags,
  signal: AbortSignal,
): Promise<Origin> {
  if (folder !== undefined) return createFolderOrigin(folder)
  return createServerOrigin({
    url: url ?? SERVERS[source],
    token: source === 'tardis' ? process.env['TARDIS_API_KEY'] : undefined,
    has_checksums: source === 'binance',
    pause_ms: PAUSE_MS,
    signal,
  })
}

async function printPlan(origin: Origin, files: readonly SourceFile[]): Promise<void> {
  let [total, found_count] = [0, 0]
  for (const file of files) {
    const found = await origin.find(file)
    const size = found === undefined ? 'absent' : megabytes(found.byte_count)
    total += found?.byte_count ?? 0
    found_count += found === undefined ? 0 : 1
    process.stdout.write(`${size.padStart(12)}  ${file.path}\n`)
  }
  process.stdout.write(
    `${found_count} of ${files.length} files are there, ${megabytes(total)}. Nothing was fetched.\n`,
  )
}

function exchangeArgument(text: string): Exchange {
  if (isExchange(text)) return text
  throw new InvalidArgumentError(`Expected one of ${EXCHANGES.join(', ')}.`)
}

function list(text: string): readonly string[] {
  return [...new Set(text.split(',').map((name) => name.trim()))].filter((name) => name !== '')
}

function dayArgument(text: string): Day {
  const day = parseDay(text)
  if (day !== undefined) return day
  throw new InvalidArgumentError('Expected a day as YYYY-MM-DD, for example 2024-08-08.')
}

function urlArgument(text: string): string {
  if (URL.canParse(text)) return text.endsWith('/') ? text : `${text}/`
  throw new InvalidArgumentError('Expected a URL such as https://data.binance.vision/.')
}
