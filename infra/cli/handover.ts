/** `npx booktape handover FROM TO`: replaces one ingestor by another without a gap. */
import { execFile } from 'node:child_process'
import { hostname } from 'node:os'
import { promisify } from 'node:util'
import { Command } from 'commander'
import { OperatorError } from '#core/errors.ts'
import type { Pool } from '#core/node/pool.ts'
import type { StatusView, StreamView } from '../../ingestor/control/view.ts'
import { missingCoverage } from '../handover/coverage.ts'
import { handOver } from '../handover/hand-over.ts'
import { openAdminApi } from './ingestor/client.ts'
import { wholeNumber } from './options.ts'
import { DATA_DIR_OPTION, withDatabase } from './services.ts'

interface Flags {
  readonly stopCommand?: string
  readonly token?: string
  readonly coverTimeout: number
  readonly stopTimeout: number
  readonly dryRun?: true
  readonly dataDir: string
}

export function handoverCommand(): Command {
  return new Command('handover')
    .description('stop one ingestor once another records everything that it does, without a gap')
    .argument('<from>', 'INGESTOR_ID of the ingestor to stop')
    .argument('<to>', 'INGESTOR_ID of the running ingestor that replaces it')
    .option(
      '--stop-command <command>',
      'shell command that stops FROM, such as "systemctl stop booktape-ingestor@a" ' +
        '(default: SIGTERM to its process on this machine)',
    )
    .option('--token <token>', 'for admin APIs over TCP (BOOKTAPE_TOKEN)')
    .option(
      '--cover-timeout <seconds>',
      'how long to wait until TO covers FROM; quiet streams need 60 s',
      wholeNumber(1, 86_400),
      600,
    )
    .option(
      '--stop-timeout <seconds>',
      'how long to wait for the end of FROM',
      wholeNumber(1, 3_600),
      60,
    )
    .option('--dry-run', 'only print what TO does not cover yet; exit code 1 if anything')
    .option(...DATA_DIR_OPTION)
    .action((from: string, to: string, flags: Flags) =>
      withDatabase(flags.dataDir, (pool) =>
        flags.dryRun === true ? dryRun(pool, from, to, flags) : run(pool, from, to, flags),
      ),
    )
}

async function run(pool: Pool, from: string, to: string, flags: Flags): Promise<void> {
  const { stopCommand, coverTimeout, stopTimeout } = flags
  const done = await handOver({
    pool,
    from,
    to,
    brokenBooks: () => brokenBooks(pool, from, to, flags),
    stop: () =>
      stopCommand === undefined ? signalProcess(pool, from, flags) : runCommand(stopCommand),
    onWaiting: (sentence) => process.stderr.write(`Waiting: ${sentence}.\n`),
    cover_limit_ms: coverTimeout * 1_000,
    stop_limit_ms: stopTimeout * 1_000,
  })
  const seconds = (ms: number): string => (ms / 1_000).toFixed(1)
  process.stdout.write(
    `${to} records everything; ${from} has stopped and handed over ${done.stream_count} streams. ` +
      `Waited ${seconds(done.cover_ms)} s for ${to}; ${from} took ${seconds(done.stop_ms)} s to stop.\n`,
  )
}

async function dryRun(pool: Pool, from: string, to: string, flags: Flags): Promise<void> {
  const missing = [...(await missingCoverage(pool, from, to))]
  if (missing.length === 0) {
    const broken = await brokenBooks(pool, from, to, flags)
    missing.push(...broken.map((symbol) => `the book of ${symbol} is not in sequence`))
  }
  const text = missing.length === 0 ? [`${to} covers ${from}.`] : missing
  process.stdout.write(`${text.join('\n')}\n`)
  process.exitCode = missing.length === 0 ? 0 : 1
}

/** Books that are in sequence at `from`, but not at `to`. */
async function brokenBooks(
  pool: Pool,
  from: string,
  to: string,
  flags: Flags,
): Promise<readonly string[]> {
  const kept = await booksInSequence(pool, to, flags)
  return [...(await booksInSequence(pool, from, flags))].filter((symbol) => !kept.has(symbol))
}

async function booksInSequence(
  pool: Pool,
  ingestor_id: string,
  flags: Flags,
): Promise<ReadonlySet<string>> {
  const { endpoint } = await findIngestor(pool, ingestor_id)
  const { streams } = (await adminApi(endpoint, ingestor_id, flags).get('/streams')) as {
    readonly streams: readonly StreamView[]
  }
  const books = streams.filter(({ is_book_in_sequence }) => is_book_in_sequence === true)
  return new Set(books.map(({ symbol }) => symbol))
}

async function signalProcess(pool: Pool, from: string, flags: Flags): Promise<void> {
  const { endpoint, host } = await findIngestor(pool, from)
  if (host !== hostname()) {
    throw new OperatorError('other_machine', `${from} runs on ${host}, this is ${hostname()}.`, {
      hint: 'Give the command that stops it with --stop-command.',
    })
  }
  const { ingestor } = (await adminApi(endpoint, from, flags).get('/status')) as StatusView
  process.kill(ingestor.pid, 'SIGTERM')
}

async function runCommand(command: string): Promise<void> {
  try {
    await promisify(execFile)('/bin/sh', ['-c', command])
  } catch (error) {
    const { stderr, message } = error as { readonly stderr?: string; readonly message: string }
    throw new OperatorError(
      'stop_command_failed',
      `\`${command}\` failed: ${stderr?.trim() || message}`,
      { hint: 'The old ingestor may still be running; nothing has changed in the database.' },
    )
  }
}

interface Known {
  readonly endpoint: string | null
  readonly host: string
}

async function findIngestor(pool: Pool, ingestor_id: string): Promise<Known> {
  const { rows } = await pool.query<Known>(
    'select endpoint, host from marketdata.ingestors where ingestor_id = $1',
    [ingestor_id],
  )
  if (rows[0] !== undefined) return rows[0]
  throw new OperatorError('ingestor_unknown', `No ingestor ${ingestor_id} has reported itself.`, {
    hint: 'To list all: select ingestor_id, state, seen_at from marketdata.ingestors.',
  })
}

function adminApi(
  endpoint: string | null,
  ingestor_id: string,
  { token }: Flags,
): ReturnType<typeof openAdminApi> {
  if (endpoint === null) {
    throw new OperatorError('no_admin_api', `${ingestor_id} serves no admin API.`, {
      hint: 'It must run, and must not have CONTROL_SOCKET=off.',
    })
  }
  return openAdminApi({ server: endpoint, dataDir: '.', ...(token === undefined ? {} : { token }) })
}
