/** CPU and memory of processes, from /proc, in seconds and bytes. */
import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

/** USER_HZ, the fixed unit of times in /proc. */
const TICKS_PER_S = 100

/** User and system time of a process with all its threads; 0 if it has exited. */
export function cpuSeconds(pid: number): number {
  return ticksIn(`/proc/${pid}/stat`) / TICKS_PER_S
}

/** The same per thread id; the main thread's id is the pid. */
export function threadCpuSeconds(pid: number): ReadonlyMap<string, number> {
  const threads = new Map<string, number>()
  for (const tid of readdirSync(`/proc/${pid}/task`)) {
    threads.set(tid, ticksIn(`/proc/${pid}/task/${tid}/stat`) / TICKS_PER_S)
  }
  return threads
}

/** A process with all its children, such as Postgres with its backends, including exited ones. */
export function treeCpuSeconds(pid: number): number {
  const stat = fieldsOf(`/proc/${pid}/stat`)
  const ended = Number(stat[13]) + Number(stat[14])
  const children = readdirSync('/proc').filter(
    (name) => /^\d+$/.test(name) && Number(fieldsOf(`/proc/${name}/stat`)[1]) === pid,
  )
  return (
    cpuSeconds(pid) +
    ended / TICKS_PER_S +
    children.reduce((sum, child) => sum + cpuSeconds(Number(child)), 0)
  )
}

/** CPU time of all processes of the machine. */
export function machineCpuSeconds(): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = readFileSync(
    '/proc/stat',
    'utf8',
  )
    .split('\n')[0]!
    .split(/\s+/)
    .slice(1)
    .map(Number)
  return (user + nice + system + irq + softirq) / TICKS_PER_S
}

export const CORE_COUNT: number = availableParallelism()

export function residentBytes(pid: number): number {
  const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kib ?? 0) * 1_024
}

function ticksIn(path: string): number {
  const stat = fieldsOf(path)
  return Number(stat[11] ?? 0) + Number(stat[12] ?? 0)
}

/** The fields from the state (field 3 of proc(5)); the name before it may contain spaces. */
function fieldsOf(path: string): readonly string[] {
  try {
    const stat = readFileSync(path, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return []
  }
}
