/** Our supervisor as the process manager. Starts one where none runs. */
import { spawn } from 'node:child_process'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { OperatorError } from '#core/errors.ts'
import type { Layout } from './layout.ts'
import { openLogFile } from './log-file.ts'
import type { ProcessManager } from './process-manager.ts'
import type { Answer, Command } from './supervisor.ts'

const START_LIMIT_MS = 60_000
const LOOK_MS = 100

/** `release_dir`: whose supervisor is started, if none runs. */
export async function supervisorManager(
  layout: Layout,
  release_dir: string,
): Promise<ProcessManager> {
  const ask = (command: Command): Promise<boolean> => askSupervisor(layout, command)
  const probe: Command = { do: 'is_active', unit: 'booktape-jobs.service' }
  if (!(await answers(() => ask(probe)))) {
    startDetached(layout, release_dir)
    const limit_ms = performance.now() + START_LIMIT_MS
    while (!(await answers(() => ask(probe)))) {
      if (performance.now() > limit_ms) {
        const hint = `Its log ends with: ${openLogFile(logOf(layout)).end()}`
        throw new OperatorError('supervisor_failed', 'The supervisor did not start.', { hint })
      }
      await sleep(LOOK_MS)
    }
  }
  const tell =
    (verb: Command['do']) =>
    async (unit: string): Promise<void> =>
      void (await ask({ do: verb, unit }))
  return {
    // It reads a unit file at each start.
    reload: () => Promise.resolve(),
    start: tell('start'),
    restart: tell('restart'),
    stop: tell('stop'),
    isActive: (unit) => ask({ do: 'is_active', unit }),
    setEnabled: (unit, is_enabled) => tell(is_enabled ? 'enable' : 'disable')(unit),
  }
}

/** Errors: OperatorError, as the supervisor has them; no_supervisor. */
function askSupervisor({ supervisor_socket }: Layout, command: Command): Promise<boolean> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(supervisor_socket, () => socket.write(`${JSON.stringify(command)}\n`))
    socket.setEncoding('utf8').on('data', (part: string) => (text += part))
    const gone = (detail: string): void =>
      reject(new OperatorError('no_supervisor', `The supervisor does not answer: ${detail}.`))
    socket.once('error', (error) => gone(error.message))
    socket.once('close', () => {
      if (!text.endsWith('\n')) return gone('the connection was closed')
      const answer = JSON.parse(text) as Answer
      if ('ok' in answer) return resolve(answer.ok)
      const { code, message, hint } = answer
      reject(new OperatorError(code, message, hint === undefined ? {} : { hint }))
    })
  })
}

async function answers(probe: () => Promise<unknown>): Promise<boolean> {
  return probe().then(
    () => true,
    () => false,
  )
}

function logOf({ log }: Layout): string {
  return join(log, 'supervisor.log')
}

/** It outlives this process and the SSH connection. */
function startDetached(layout: Layout, release_dir: string): void {
  // The log file takes what it says while it starts.
  openLogFile(logOf(layout)).append(Buffer.from(`${new Date().toISOString()} starting\n`))
  const cli = join(release_dir, 'infra/cli/main.ts')
  const script = 'exec "$@" >>"$LOG" 2>&1 </dev/null'
  const child = spawn(
    '/bin/sh',
    ['-c', script, 'sh', process.execPath, cli, 'supervise', '--root', layout.root],
    {
      detached: true,
      stdio: 'ignore',
      env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LOG: logOf(layout) },
    },
  )
  child.unref()
}
