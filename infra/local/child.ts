/**
 * One program of the stack as a child process. It is detached, so that Ctrl-C reaches only the
 * supervisor. If the supervisor dies, the IPC channel closes and the child stops
 * (core/node/shutdown.ts). The child logs to a file.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { OperatorError } from '#core/errors.ts'
import { identify, type ProcessIdentity } from '#core/node/process-table.ts'

export type ChildMessage = Readonly<Record<string, unknown>> & { readonly type: string }

export interface ChildOptions {
  /** Name for messages. */
  readonly name: string
  /** Entry file, relative to the project's root. */
  readonly entry: string
  readonly env: Readonly<Record<string, string>>
  readonly log_file: string
  readonly onMessage?: (message: ChildMessage) => void
}

export interface Child {
  readonly name: string
  readonly identity: ProcessIdentity
  /** The message {type: 'ready'}, which the child sends once it serves. */
  readonly ready: Promise<ChildMessage>
  /** Resolves when the child has ended: `exit code 1`, a signal's name or an error's message. */
  readonly ended: Promise<string>
  /** The last lines of the log. */
  logEnd(): string
  send(message: ChildMessage): void
  stop(): Promise<void>
}

/**
 * On a machine with much memory, V8 lets the young generation grow to 134 MB per thread and keeps
 * it. Semi-spaces of 16 MB keep each program small, without a measurable cost in speed.
 */
export const NODE_ARGS: readonly string[] = ['--max-semi-space-size=16']

const ROOT = new URL('../../', import.meta.url)
const STOP_LIMIT_MS = 40_000
const LOG_BYTES_MAX = 16 * 1024 * 1024

export function startChild(options: ChildOptions): Child {
  const log = openLog(options.log_file)
  const entry = fileURLToPath(new URL(options.entry, ROOT))
  const child = spawn(process.execPath, [...NODE_ARGS, entry], {
    cwd: fileURLToPath(ROOT),
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: process.env['HOME'] ?? '',
      TZ: 'UTC',
      ...compileCache(),
      ...options.env,
    },
  })
  closeSync(log)
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : signal))
  })
  const ready = new Promise<ChildMessage>((resolve, reject) => {
    child.on('message', (message) => {
      const { type } = message as ChildMessage
      if (type === 'ready') resolve(message as ChildMessage)
      options.onMessage?.(message as ChildMessage)
    })
    void ended.then((reason) => reject(startFailure(options, reason)))
  })
  ready.catch(() => undefined)
  return {
    name: options.name,
    identity: identify(child.pid ?? -1) ?? { pid: child.pid ?? -1, started: '' },
    ready,
    ended,
    logEnd: () => lastLines(options.log_file, 8),
    send(message) {
      if (child.connected) child.send(message)
    },
    stop: () => stopChild(child, ended),
  }
}

async function stopChild(child: ChildProcess, ended: Promise<string>): Promise<void> {
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS)
  await ended
  clearTimeout(timer)
}

/** Compiling takes most of a program's start. Tests set Node's cache, and a user may. */
function compileCache(): Readonly<Record<string, string>> {
  const folder = process.env['NODE_COMPILE_CACHE']
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: folder }
}

function startFailure(options: ChildOptions, reason: string): OperatorError {
  const message = `The ${options.name} exited before it was ready (${reason}).`
  return new OperatorError('child_failed', message, {
    hint: `Its log, ${options.log_file}, ends with: ${lastLines(options.log_file, 3)}`,
  })
}

function lastLines(file: string, count: number): string {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-count).join('\n')
}

function openLog(file: string): number {
  mkdirSync(dirname(file), { recursive: true })
  // Keeps one old log, so that the logs of a long-running stack do not fill the disk.
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0
  if (size > LOG_BYTES_MAX) renameSync(file, `${file}.1`)
  return openSync(file, 'a', 0o600)
}
