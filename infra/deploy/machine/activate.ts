/**
 * Makes a release the one that runs on this machine: units, migrations, the ingestor without a gap,
 * the other programs, and a look by the doctor. Runs on the machine, after the files have arrived.
 * Every step can be repeated. Until the new ingestor records, everything old goes on running.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { describeError, OperatorError } from '#core/errors.ts'
import { createPool, withRootCertificate } from '#core/node/pool.ts'
import { lockHolder, lockTape } from '../../../ingestor/tape/lock.ts'
import type { View } from './look.ts'
import { asCommand, type Runner } from './commands.ts'
import type { Variables } from './environment-file.ts'
import {
  type Instance,
  instancesOf,
  instanceVariables,
  linkTarget,
  pointLink,
  takeAlongCommand,
  writeVariables,
} from './instances.ts'
import { type Layout, renderUnit } from './layout.ts'
import type { ProcessManager } from './process-manager.ts'
import { pruneReleases, releaseDir } from './releases.ts'
import { fingerprintOf, type Program, programsOf, variablesOf } from './settings.ts'
import { upgradeIngestor } from './upgrade-ingestor.ts'

/** Of an ingestor: infra/cli/ingestor/client.ts. */
interface AdminApi {
  get(path: string): Promise<unknown>
  change(method: 'PUT', path: string, body: unknown): Promise<unknown>
}

export interface Activation {
  readonly layout: Layout
  readonly release: string
  /** In ids of ingestors; undefined: as before, or this machine's name. */
  readonly name: string | undefined
  readonly manager: ProcessManager
  readonly run: Runner
  /** Opens the admin API at a socket. */
  readonly openApi: (socket: string) => AdminApi
  readonly patience_ms: number
  readonly say: (sentence: string) => void
}

const MIGRATE = 'booktape-migrate.service'
const JOBS = 'booktape-jobs.service'

/**
 * Errors: OperatorError deploy_running, no_release, migration_failed, ingestor_not_recording,
 * unit_failed, doctor_found_errors.
 */
export async function activate(activation: Activation): Promise<void> {
  const { layout, say } = activation
  mkdirSync(layout.deploy, { recursive: true, mode: 0o755 })
  const unlock = lockActivation(layout)
  try {
    await activateLocked(activation)
  } finally {
    unlock()
  }
  say(`Release ${activation.release} runs.`)
}

async function activateLocked(activation: Activation): Promise<void> {
  const { layout, release, manager, say } = activation
  const release_dir = releaseDir(layout, release)
  const name = machineName(activation)
  const instances = instancesOf(layout, name)
  writeUnits(layout, release_dir)
  const settings = variablesOf(layout, ['booktape.env', 'ingestor.env'])
  for (const instance of instances) {
    const path = join(layout.etc, `ingestor-${instance.letter}.env`)
    writeVariables(path, instanceVariables(instance, settings))
  }
  const tapes = instances.map(({ ingestor_id, tape_dir }) => `${ingestor_id}=${tape_dir}`)
  writeVariables(join(layout.etc, 'live-tapes.env'), { LIVE_TAPES: tapes.join(',') })
  await manager.reload()
  pointLink(join(layout.opt, 'next'), release_dir)
  say('Applying migrations.')
  await manager.start(MIGRATE).catch((cause: unknown) => {
    const hint = 'Nothing was replaced: the release before goes on running.'
    throw new OperatorError('migration_failed', describeError(cause), { hint, cause })
  })
  const pool = createPool(databaseOf(settings), 'booktape-activate', 1)
  try {
    await withoutJobs(activation, instances, release_dir, async () => {
      await upgradeIngestor({
        ...activation,
        pool,
        instances,
        release_dir,
        is_current: ({ unit }) => isCurrent(layout, unit, release_dir),
        noteStarted: ({ unit }) => noteStarted(layout, unit, release_dir),
        look: ({ socket }) => lookAt(activation.openApi(socket)),
        change: async ({ socket }, { path, body }) =>
          void (await activation.openApi(socket).change('PUT', path, body)),
        takeAlong: (from, to) => activation.run(takeAlongCommand(from, to), {}),
      })
    })
  } finally {
    await pool.end()
  }
  const current = join(layout.opt, 'current')
  const before = linkTarget(current)
  if (before !== release_dir) {
    if (before !== undefined) pointLink(join(layout.opt, 'previous'), before)
    pointLink(current, release_dir)
  }
  for (const program of programsOf(layout, release_dir)) {
    await replaceProgram(activation, program, release_dir)
  }
  const gone = pruneReleases(layout)
  if (gone.length > 0) say(`Deleted releases that nothing uses: ${gone.join(', ')}.`)
  await askDoctor(activation, release_dir)
}

/**
 * Stops the jobs while two ingestors run: a small database has no connections for all of them. They
 * start again with the new release, or at once if the upgrade fails.
 */
async function withoutJobs(
  { layout, manager, say }: Activation,
  instances: readonly Instance[],
  release_dir: string,
  upgrade: () => Promise<void>,
): Promise<void> {
  const running = await Promise.all(instances.map(({ unit }) => manager.isActive(unit)))
  const old = instances.find((_, i) => running[i])
  const is_replaced = old !== undefined && !isCurrent(layout, old.unit, release_dir)
  if (!is_replaced || !(await manager.isActive(JOBS))) return upgrade()
  say('Stopping the jobs while two ingestors run.')
  await manager.stop(JOBS)
  try {
    await upgrade()
  } catch (error) {
    await manager.start(JOBS)
    throw error
  }
}

/** The name that the ingestors have had does not change with the machine's. */
function machineName({ layout, name }: Activation): string {
  const path = join(layout.deploy, 'name')
  const known = existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined
  const chosen =
    name ??
    known ??
    hostname()
      .split('.')[0]!
      .replaceAll(/[^\w-]/g, '-')
      .slice(0, 60)
  writeFileSync(path, `${chosen}\n`)
  return chosen
}

function writeUnits(layout: Layout, release_dir: string): void {
  mkdirSync(layout.units, { recursive: true })
  const folder = join(release_dir, 'infra/systemd')
  for (const unit of readdirSync(folder)) {
    const text = readFileSync(join(folder, unit), 'utf8')
    writeFileSync(join(layout.units, unit), renderUnit(text, layout), { mode: 0o644 })
  }
}

function startedFile(layout: Layout, unit: string): string {
  return join(layout.deploy, `${unit}.started`)
}

function isCurrent(layout: Layout, unit: string, release_dir: string): boolean {
  const path = startedFile(layout, unit)
  return existsSync(path) && readFileSync(path, 'utf8') === fingerprintOf(layout, unit, release_dir)
}

function noteStarted(layout: Layout, unit: string, release_dir: string): void {
  writeFileSync(startedFile(layout, unit), fingerprintOf(layout, unit, release_dir))
}

async function lookAt(api: AdminApi): Promise<View> {
  const [status, { streams }] = (await Promise.all([api.get('/status'), api.get('/streams')])) as [
    View['status'],
    Pick<View, 'streams'>,
  ]
  return { status, streams }
}

/** The programs have verified that it is a URL; PGSSLROOTCERT is a variable of theirs. */
function databaseOf({ DATABASE_URL = '', PGSSLROOTCERT }: Variables): string {
  return withRootCertificate(DATABASE_URL, PGSSLROOTCERT)
}

/** Each drains by itself when it is stopped; the proxy lets requests wait meanwhile. */
async function replaceProgram(
  { layout, manager, say }: Activation,
  { name, unit }: Program,
  release_dir: string,
): Promise<void> {
  await manager.setEnabled(unit, true)
  if ((await manager.isActive(unit)) && isCurrent(layout, unit, release_dir)) return
  say(`Starting ${name}.`)
  noteStarted(layout, unit, release_dir)
  await manager.restart(unit)
}

async function askDoctor({ layout, run, say }: Activation, release_dir: string): Promise<void> {
  say('The doctor looks at the machine.')
  const writers = variablesOf(layout, ['booktape.env', 'ingestor.env', 'jobs.env'])
  const looks = [{ programs: 'ingestor,jobs', env: writers }]
  if (existsSync(join(layout.etc, 'gateway.env'))) {
    looks.push({ programs: 'gateway', env: variablesOf(layout, ['gateway.env']) })
  }
  if (existsSync(join(layout.etc, 'clusters.env'))) {
    const env = variablesOf(layout, ['booktape.env', 'clusters.env'])
    looks.push({ programs: 'clusters', env })
  }
  const failed: string[] = []
  for (const { programs, env } of looks) {
    const work = { TAPE_DIR: join(layout.state, 'tape-a'), WORK_DIR: join(layout.state, 'work') }
    const command = asCommand(release_dir, ['doctor', '--program', programs])
    await run(command, { ...work, ...env }).catch(() => failed.push(programs))
  }
  if (failed.length === 0) return
  throw new OperatorError('doctor_found_errors', 'The release runs, but the doctor found errors.', {
    hint: 'They are above. Correct them and deploy again, or go back with --rollback.',
  })
}

/** Errors: OperatorError deploy_running. */
function lockActivation(layout: Layout): () => void {
  const dir = layout.deploy
  try {
    return lockTape(dir)
  } catch (cause) {
    const holder = lockHolder(dir)
    if (holder === undefined) throw cause
    const message = `Another deploy is at work on this machine (process ${holder.pid}).`
    throw new OperatorError('deploy_running', message, { hint: 'Wait for its end.', cause })
  }
}
