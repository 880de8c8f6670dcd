/** `npx booktape validate`: is the recorded data complete, fresh and plausible? */
import { Command } from 'commander'
import { describeError } from '#core/errors.ts'
import { createObjectStore, type ObjectStoreConfig } from '#core/node/object-store.ts'
import { createPool } from '#core/node/pool.ts'
import { CHECKS, type Report, type ReportedFinding } from '#core/validation.ts'
import { parseConfig } from '../../jobs/config.ts'
import { validate } from '../../jobs/validation/run-validation.ts'
import { readStackFile } from '../local/data-dir.ts'
import { EXIT_FAILED, EXIT_UNREACHABLE } from './exit-codes.ts'
import { openConsoleApi } from './ingestor/client.ts'
import { type ConsoleFlags, withConsoleOptions } from './options.ts'

const SYMBOLS_SHOWN_MAX = 12

interface Flags extends ConsoleFlags {
  readonly dataDir: string
  readonly json?: true
}

export function validateCommand(): Command {
  return withConsoleOptions(new Command('validate'))
    .description('check the recorded data, who records it, and the datasets of yesterday')
    .option('--json', 'print the report as JSON')
    .option(
      '--data-dir <dir>',
      'folder of the local stack; ignored if DATABASE_URL (and S3_*) is set',
      '.data',
    )
    .allowExcessArguments(false)
    .action(async ({ server, token, dataDir, json }: Flags) => {
      let report: Report
      try {
        report =
          server === undefined
            ? await validateServices(servicesOf(dataDir))
            : ((await openConsoleApi(server, token).get('/validate')) as Report)
      } catch (error) {
        process.stderr.write(`The check failed: ${describeError(error)}\n`)
        process.exitCode = EXIT_UNREACHABLE
        return
      }
      process.stdout.write(json === true ? `${JSON.stringify(report)}\n` : reportText(report))
      if (report.findings.length > 0) process.exitCode = EXIT_FAILED
    })
}

interface Services {
  readonly database_url: string
  /** Undefined: datasets are not looked at. */
  readonly object_store: ObjectStoreConfig | undefined
}

function servicesOf(data_dir: string): Services {
  const { env } = process
  if (env['DATABASE_URL'] === undefined) {
    const { postgres_url, object_store } = readStackFile(data_dir)
    return { database_url: postgres_url, object_store }
  }
  if (env['S3_ENDPOINT'] === undefined) {
    return { database_url: env['DATABASE_URL'], object_store: undefined }
  }
  return parseConfig({ WORK_DIR: '.', ...env })
}

async function validateServices({ database_url, object_store }: Services): Promise<Report> {
  const pool = createPool(database_url, 'booktape-validate', 1)
  const store = object_store === undefined ? undefined : createObjectStore(object_store)
  try {
    return await validate(pool, Date.now(), store)
  } finally {
    store?.close()
    await pool.end()
  }
}

export function reportText({ checked_at, looked_at, findings }: Report): string {
  const lines = CHECKS.flatMap((check) => {
    const found = findings.filter((finding) => finding.check === check)
    const state = found.length === 0 ? 'ok' : `${found.length} found`
    const scope = looked_at[check]
    return [
      scope === null
        ? `${check.padEnd(10)} skipped`
        : `${check.padEnd(10)} ${state.padEnd(8)} (${scope})`,
      ...found.flatMap((finding) => [
        `  - ${finding.sentence}`,
        ...(finding.symbol_count === 0 ? [] : [`    ${namesText(finding)}`]),
      ]),
    ]
  })
  return [`Data as of ${checked_at}`, ...lines, ''].join('\n')
}

function namesText({ symbols, symbol_count }: ReportedFinding): string {
  const shown = symbols.slice(0, SYMBOLS_SHOWN_MAX).join(', ')
  const more = symbol_count - SYMBOLS_SHOWN_MAX
  return more > 0 ? `${shown} and ${more} more` : shown
}
