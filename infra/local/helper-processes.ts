/**
 * The child processes of this one: Miniflare's workerd. Programs report them to the supervisor,
 * because a program killed with -9 leaves its workerd running on the port.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { identify, type ProcessIdentity } from '#core/node/process-table.ts'

export function helperProcesses(): readonly ProcessIdentity[] {
  return childPids().flatMap((pid) => identify(pid) ?? [])
}

function childPids(): readonly number[] {
  const tasks = '/proc/self/task'
  if (existsSync(tasks)) {
    return readdirSync(tasks).flatMap((task) =>
      readFileSync(`${tasks}/${task}/children`, 'utf8')
        .trim()
        .split(' ')
        .filter(Boolean)
        .map(Number),
    )
  }
  try {
    const text = execFileSync('pgrep', ['-P', String(process.pid)], { encoding: 'utf8' })
    return text.trim().split('\n').map(Number)
  } catch {
    return []
  }
}
