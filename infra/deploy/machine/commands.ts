/** Runs our own command line on the machine, as the user of the programs. */
import { execFileSync, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { OperatorError } from '#core/errors.ts'
import type { Variables } from './environment-file.ts'

export type Runner = (command: readonly string[], env: Variables) => Promise<void>

/** `npx booktape …` of a release. */
export function asCommand(release_dir: string, args: readonly string[]): readonly string[] {
  const node = join(release_dir, 'node_modules/.bin/node')
  return [node, join(release_dir, 'infra/cli/main.ts'), ...args]
}

/**
 * `user`: undefined for the one of this process. Variables go through the environment, never
 * through arguments, which others can see. What it prints goes to `say`. Errors: OperatorError
 * command_failed.
 */
export function createRunner(user: string | undefined, say: (line: string) => void): Runner {
  const ids = user === undefined ? {} : { uid: idOf('-u', user), gid: idOf('-g', user) }
  return async ([program, ...args], env) => {
    const child = spawn(program!, args, {
      ...ids,
      cwd: '/',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', TZ: 'UTC', ...env },
    })
    for (const stream of [child.stdout, child.stderr]) {
      createInterface(stream).on('line', (line) => say(`  ${line}`))
    }
    const end = await new Promise<string | number | null>((resolve) => {
      child.once('error', (error) => resolve(error.message))
      child.once('close', (code, signal) => resolve(code ?? signal))
    })
    if (end === 0) return
    throw new OperatorError(
      'command_failed',
      `booktape ${args.slice(1).join(' ')} ended with ${end}.`,
    )
  }
}

function idOf(flag: string, user: string): number {
  return Number(execFileSync('id', [flag, user], { encoding: 'utf8' }).trim())
}
