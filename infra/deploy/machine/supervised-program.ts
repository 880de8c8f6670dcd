/** One unit under the supervisor: started, kept running, stopped. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describeError, OperatorError } from '#core/errors.ts'
import { backoffMs } from '#core/waiting.ts'
import { parseEnvironmentFile } from './environment-file.ts'
import type { LogFile } from './log-file.ts'
import type { UnitFile } from './unit-file.ts'

export interface SupervisedProgram {
  readonly is_active: boolean
  /**
   * Of the current attempt: settles when it is ready, or a oneshot has succeeded. A program that
   * ends before that is started again. Errors: OperatorError unit_failed.
   */
  readonly ready: Promise<void>
  stop(): Promise<void>
}

const RESTART_MS_MAX = 30_000
/** After so long a run, the next restart comes quickly again. */
const GOOD_RUN_MS = 60_000

/** `readUnit` is asked at each start, so that a restart has the newest file. */
export function startProgram(
  unit: string,
  readUnit: () => UnitFile,
  log: LogFile,
): SupervisedProgram {
  let ready = newReady()
  let child: ChildProcess | undefined
  let ended: Promise<void> = Promise.resolve()
  let timer: NodeJS.Timeout | undefined
  let is_active = true
  let is_ready = false
  let failure_count = 0
  const note = (text: string): void =>
    log.append(Buffer.from(`${new Date().toISOString()} supervisor: ${text}\n`))
  const fail = (reason: string): void => {
    const hint = `Its log ends with: ${log.end()}`
    ready.reject(new OperatorError('unit_failed', `${unit} did not start (${reason}).`, { hint }))
    // Of the next attempt.
    if (is_active) ready = newReady()
  }
  const launch = (): void => {
    const file = readUnit()
    const begun_ms = performance.now()
    child = spawnUnit(file)
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (text: Buffer) => log.append(text))
    }
    child.on('message', (message) => {
      if ((message as { readonly type?: unknown } | null)?.type !== 'ready') return
      is_ready = true
      ready.resolve()
    })
    ended = new Promise((resolve) => {
      const end = (reason: string, has_succeeded: boolean): void => {
        resolve()
        note(`${unit} ended (${reason}).`)
        if (file.kind === 'oneshot' || !is_active) {
          is_active = false
          if (has_succeeded && file.kind === 'oneshot') ready.resolve()
          else fail(reason)
          return
        }
        if (!is_ready) fail(reason)
        is_ready = false
        failure_count = performance.now() - begun_ms > GOOD_RUN_MS ? 0 : failure_count + 1
        const settings = { backoff_base_ms: file.restart_s * 500, backoff_cap_ms: RESTART_MS_MAX }
        timer = setTimeout(relaunch, backoffMs(failure_count, settings, Math.random, 0))
      }
      child!.once('error', (error) => end(error.message, false))
      // After its last output.
      child!.once('close', (code, signal) =>
        end(signal ?? `exit code ${code}`, code === 0 && signal === null),
      )
    })
  }
  const relaunch = (): void => {
    try {
      launch()
    } catch (error) {
      note(describeError(error))
      timer = setTimeout(relaunch, RESTART_MS_MAX)
    }
  }
  try {
    launch()
  } catch (error) {
    is_active = false
    fail(describeError(error))
  }
  return {
    get is_active() {
      return is_active
    },
    get ready() {
      return ready.promise
    },
    async stop() {
      is_active = false
      clearTimeout(timer)
      child?.kill('SIGTERM')
      const kill = setTimeout(() => child?.kill('SIGKILL'), readUnit().stop_s * 1_000)
      await ended
      clearTimeout(kill)
    },
  }
}

function newReady(): PromiseWithResolvers<void> {
  const ready = Promise.withResolvers<void>()
  ready.promise.catch(() => undefined)
  return ready
}

function spawnUnit(file: UnitFile): ChildProcess {
  const [program, ...args] = file.command
  const from_files = file.environment_files.map(({ path, is_optional }) => {
    try {
      return parseEnvironmentFile(readFileSync(path, 'utf8'), path)
    } catch (error) {
      if (is_optional && (error as NodeJS.ErrnoException).code === 'ENOENT') return {}
      throw error
    }
  })
  return spawn(program!, args, {
    ...(file.working_directory === undefined ? {} : { cwd: file.working_directory }),
    ...(file.user === undefined ? {} : idsOf(file.user)),
    // A Ctrl-C is for the supervisor, which stops everything in its own way.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: Object.assign(
      { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
      file.environment,
      ...from_files,
    ) as Record<string, string>,
  })
}

function idsOf(user: string): { readonly uid: number; readonly gid: number } {
  const id = (flag: string): number =>
    Number(execFileSync('id', [flag, user], { encoding: 'utf8' }).trim())
  return { uid: id('-u'), gid: id('-g') }
}
