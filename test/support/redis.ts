/** A redis-server of a test. Needs `apt-get install redis-server`. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'

export const REDIS = '/usr/bin/redis-server'
export const has_redis = existsSync(REDIS)

/** It saves its contents when it is stopped, and finds them again. */
export function startRedis(dir: string, port: number): ChildProcess {
  const settings = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir]
  return spawn(REDIS, [...settings, '--save', '1 1', '--loglevel', 'warning'], { stdio: 'ignore' })
}

export function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => child.once('exit', () => resolve()))
}
