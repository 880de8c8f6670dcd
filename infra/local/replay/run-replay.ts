/**
 * `npm run replay`: plays recordings through the whole pipeline and prints the result as one JSON
 * object. It starts its own Postgres and object store, and stops them at the end.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { OperatorError, describeError } from '#core/errors.ts'
import { createLogger, silentLogger } from '#core/node/log.ts'
import type { ProcessIdentity } from '#core/node/process-table.ts'
import { createPool } from '#core/node/pool.ts'
import { onShutdown } from '#core/node/shutdown.ts'
import { isExchange, EXCHANGES } from '#core/symbols.ts'
import { fromMillis } from '#core/time.ts'
import { closeFilledGaps } from '../../../ingestor/repair/close-filled.ts'
import { addCounts, createFollowCounts, sumOf } from '../../../ingestor/writer/counts.ts'
import { type DataDir, openDataDir } from '../data-dir.ts'
import { prepareDatabase } from '../database.ts'
import { summariseRecording, type RecordingSummary } from '../../exchange/replay/recording.ts'
import { watchLauncher } from '../launcher.ts'
import { freePorts } from '../ports.ts'
import { POSTGRES_SETTINGS } from '../postgres.ts'
import { objectStoreConfig, objectStoreProgram } from '../programs.ts'
import { createSupervisor, type Supervisor } from '../supervisor.ts'
import type { Played } from './performance.ts'
import { publishDays, type ReplayedDay } from './publish-days.ts'
import { playOverSockets } from './via-socket.ts'
import { commitLeftOver, playOntoTape } from './via-tape.ts'

export interface ReplayOptions {
  readonly files: readonly string[]
  readonly via: 'socket' | 'tape'
  /** Undefined: a temporary folder. */
  readonly data_dir: string | undefined
  readonly speed: string
  readonly export_dir: string | undefined
  readonly keep: boolean
  /** The replay stops when its launcher is gone. */
  readonly launcher: ProcessIdentity | undefined
}

/** Prints the result as the last line of stdout. Returns the exit code. */
export async function runReplay(options: ReplayOptions): Promise<number> {
  const say = (sentence: string): void => void process.stderr.write(`${sentence}\n`)
  const recordings = await readSummaries(options)
  const folder = options.data_dir ?? temporaryFolder()
  const data_dir = await openDataDir(folder, options.launcher)
  const supervisor = createSupervisor(data_dir, say, (reason) => {
    say(reason)
    shutdown.begin('fatal', 1)
  })
  const stop = async (): Promise<void> => {
    await supervisor.stopAll()
    data_dir.release()
    if (options.data_dir === undefined && !options.keep)
      rmSync(folder, { recursive: true, force: true })
  }
  const shutdown = onShutdown(createLogger('replay', 'error'), stop, 120_000, 1)
  watchLauncher(options.launcher, () => shutdown.begin('the launcher is gone'))
  try {
    const result = await perform(options, recordings, data_dir, supervisor, say)
    await stop()
    if (options.data_dir !== undefined || options.keep) say(`The data is kept in ${data_dir.path}.`)
    process.stdout.write(`${JSON.stringify(result)}\n`)
    return result.accounted_for ? 0 : 1
  } catch (error) {
    say(`The replay failed. ${describeError(error)}`)
    await stop()
    return 1
  }
}

interface Recording {
  readonly file: string
  readonly summary: RecordingSummary
}

/** Reads every file in full before anything starts, so that an invalid one is refused at once. */
async function readSummaries(options: ReplayOptions): Promise<readonly Recording[]> {
  if (options.via === 'tape' && options.speed !== 'max') {
    throw new OperatorError('bad_options', '--speed has no effect with --via tape.', {
      hint: 'Omit --speed, or use --via socket.',
    })
  }
  const recordings: Recording[] = []
  for (const file of options.files) {
    const summary = await summariseRecording(file)
    if (!isExchange(summary.exchange)) {
      throw new OperatorError(
        'unknown_exchange',
        `${file} is a recording of ${summary.exchange}.`,
        {
          hint: `This build records ${EXCHANGES.join(', ')}.`,
        },
      )
    }
    recordings.push({ file, summary })
  }
  return recordings
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'booktape-replay-'))
  // Postgres may run as another user and must enter the folder.
  chmodSync(folder, 0o755)
  return folder
}

async function perform(
  options: ReplayOptions,
  recordings: readonly Recording[],
  data_dir: DataDir,
  supervisor: Supervisor,
  say: (sentence: string) => void,
) {
  const [postgres_port, store_port] = await freePorts(2)
  const [{ owner_url: database_url }, store] = await Promise.all([
    supervisor
      .startPostgres({
        dir: data_dir.join('postgres'),
        port: postgres_port!,
        password: data_dir.secrets.postgres_password,
        settings: POSTGRES_SETTINGS,
      })
      .then((postgres) => prepareDatabase(postgres.url, data_dir.secrets.edge_password)),
    supervisor
      .start(objectStoreProgram(data_dir, store_port!))
      .then((ready) => objectStoreConfig(data_dir, ready)),
  ])
  const play = options.via === 'socket' ? playOverSockets : playOntoTape
  const played: Played[] = []
  for (const { file, summary } of recordings) {
    say(`Playing ${file}: ${summary.ws_count} frames of ${summary.symbols.join(', ')}.`)
    const piece = { file, summary, data_dir, supervisor, database_url, speed: options.speed, say }
    if (played.length === 0) await commitLeftOver(piece)
    played.push(await play(piece))
  }
  await settleLedger(database_url)
  say('Building the datasets of the recorded days.')
  const days = await publishDays({
    database_url,
    store,
    summaries: recordings.map(({ summary }) => summary),
    work_dir: data_dir.join('work'),
    export_dir: options.export_dir,
    log: silentLogger,
  })
  return describe(options, played, days)
}

/**
 * Makes the datasets independent of when the ingestor was stopped: closes the gaps that are filled
 * but not yet marked, and removes the ingestor's coverage claim, because the end of a recording is
 * not an outage.
 */
async function settleLedger(database_url: string): Promise<void> {
  const pool = createPool(database_url, 'booktape-replay', 1)
  try {
    await closeFilledGaps(pool, fromMillis(Date.now()))
    await pool.query('update marketdata.tape_positions set covered_until = null')
  } finally {
    await pool.end()
  }
}

function describe(options: ReplayOptions, played: readonly Played[], days: readonly ReplayedDay[]) {
  const counts = createFollowCounts()
  for (const one of played) addCounts(counts, one.counts)
  const seconds = played.reduce((total, one) => total + one.seconds, 0)
  const problems = played.flatMap((one) => one.accounting.problems)
  const frames = addUp(played.map((one) => ({ ...one.accounting.frames })))
  const not_asked_for = addUp(played.map((one) => one.accounting.not_asked_for))
  return {
    recordings: options.files,
    via: options.via,
    accounted_for: problems.length === 0,
    problems,
    frames,
    rows: counts.rows,
    duplicates: counts.duplicates,
    conflicts: counts.conflicts,
    void_trades: counts.void_trades,
    dead_letters: counts.dead_letters,
    gaps: counts.gaps,
    rejected: counts.rejected,
    rejected_elements: counts.rejected_elements,
    not_asked_for,
    datasets: days,
    seconds: Number(seconds.toFixed(3)),
    events_per_s: Math.round(sumOf(counts.events) / seconds),
  }
}

function addUp(
  parts: readonly Readonly<Record<string, number>>[],
): Readonly<Record<string, number>> {
  const total: Record<string, number> = {}
  for (const part of parts) {
    for (const [name, count] of Object.entries(part)) total[name] = (total[name] ?? 0) + count
  }
  return total
}
