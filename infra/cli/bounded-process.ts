/**
 * Runs a command again in a process whose memory is bounded as that of the daemon's heavy tasks is.
 * V8 lets the young objects of each thread take 134 MB, and these limits can only be set at a
 * start.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { HEAVY_ENV, HEAVY_NODE_ARGS } from '../../jobs/heavy-process.ts'

const MARK = 'BOOKTAPE_BOUNDED'
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Whether this process is the one with the bounds. */
export function isBounded(): boolean {
  return process.env[MARK] === '1'
}

/**
 * Ends with the exit code of the other process, which is told by a `disconnect` if this one dies.
 */
export async function runBounded(): Promise<void> {
  const { execPath, argv, env } = process
  const child = spawn(execPath, [...HEAVY_NODE_ARGS, ...argv.slice(1)], {
    env: { ...env, ...HEAVY_ENV, [MARK]: '1' },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    // In a session of its own: Ctrl-C reaches this process only, which passes it on once.
    detached: true,
  })
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal))
  const [code] = (await once(child, 'exit')) as [number | null]
  process.exitCode = code ?? 1
}
