/** Runs a workerd until it is stopped. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { OperatorError } from '#core/errors.ts'

export interface RunningWorkerd {
  readonly url: string
  readonly pid: number
  /** Rejects if workerd ends without being stopped. */
  readonly ended: Promise<never>
  stop(): Promise<void>
}

/** The package has no types; its default export is the path of the binary. */
const { default: workerd } = createRequire(import.meta.url)('workerd') as {
  readonly default: string
}
/** It waits for connections that callers keep open; after this long it is killed. */
const STOP_MS = 1_000

/** The configuration has one socket. Throws an OperatorError if workerd does not listen on it. */
export async function runWorkerd(config_path: string): Promise<RunningWorkerd> {
  const child = spawn(workerd, ['serve', '--control-fd=3', config_path], {
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
  })
  const exit = once(child, 'exit')
  let is_stopped = false
  const ended = exit.then(([code, signal]) => {
    if (is_stopped) return new Promise<never>(() => undefined)
    throw new OperatorError('workerd_ended', `workerd ended with ${code ?? signal}.`, {
      hint: 'Its last lines in the log say why.',
    })
  })
  ended.catch(() => undefined)
  const port = await Promise.race([portOf(child), ended])
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid!,
    ended,
    async stop() {
      is_stopped = true
      child.kill('SIGTERM')
      const kill = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
      await exit
      clearTimeout(kill)
    },
  }
}

/** Never resolves if workerd ends before it listens. */
async function portOf(child: ChildProcess): Promise<number> {
  for await (const line of createInterface({ input: child.stdio[3] as Readable })) {
    const said = JSON.parse(line) as { readonly event: string; readonly port?: number }
    if (said.event === 'listen' && said.port !== undefined) return said.port
  }
  return new Promise<never>(() => undefined)
}
