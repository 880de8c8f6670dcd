/** Loads a server from another process, and measures what the server's process spends on it. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { LoadOrder, LoadResult } from './load-client.ts'

export interface Load extends LoadResult {
  /** Milliseconds of CPU for each request. */
  readonly cpu_ms: number
}

export async function load(pid: number, order: LoadOrder): Promise<Load> {
  const client = fork(join(import.meta.dirname, 'load-client.ts'))
  const failed = once(client, 'exit').then(([code]) => {
    throw new Error(`The callers ended with ${code}.`)
  })
  failed.catch(() => undefined)
  try {
    const run = async (part: LoadOrder): Promise<LoadResult> => {
      client.send(part)
      const [result] = (await Promise.race([once(client, 'message'), failed])) as [LoadResult]
      return result
    }
    // Connections and JIT compilation are not measured.
    if (order.warm_up !== undefined) await run({ ...order, paths: order.warm_up })
    else if (order.ends_after !== 'each path') {
      await run({ ...order, ends_after: { duration_ms: order.ends_after.duration_ms / 4 } })
    }
    const before = cpuMs(pid)
    const result = await run(order)
    return { ...result, cpu_ms: (cpuMs(pid) - before) / result.count }
  } finally {
    client.kill()
  }
}

/** CPU that the process's living threads have used: Linux counts it in nanoseconds. */
export function cpuMs(pid: number): number {
  return readdirSync(`/proc/${pid}/task`)
    .map((task) => readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0])
    .reduce((sum, ns) => sum + Number(ns) / 1e6, 0)
}

/** Resident memory of the process. */
export function rssBytes(pid: number): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(text)![1]) * 1_024
}
