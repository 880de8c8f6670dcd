/**
 * The child processes of this one: Miniflare's workerd. Programs report them to the supervisor,
 * because a program killed with -9 leaves its workerd running on the port.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { identify, isRunning, type ProcessIdentity } from '#core/node/process-table.ts'

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

/** Waits for the processes to end, and kills them after `grace_ms`. */
export async function untilEnded(
  processes: readonly ProcessIdentity[],
  grace_ms: number,
): Promise<void> {
  const deadline = performance.now() + grace_ms
  while (processes.some(isRunning) && performance.now() < deadline) await sleep(50)
  for (const identity of processes) if (isRunning(identity)) signal(identity.pid, 'SIGKILL')
}

export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // The process has ended meanwhile.
  }
}
