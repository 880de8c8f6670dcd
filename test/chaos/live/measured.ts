/** How long messages take to readers, and the CPU time that this costs. */
import { setTimeout as sleep } from 'node:timers/promises'
import { cpuSeconds, machineCpuSeconds } from '../../../bench/ingest/machine.ts'
import type { SoakClient } from './soak-client.ts'
import type { SoakStack } from './soak-stack.ts'

export interface Measured {
  readonly messages_per_s: number
  readonly p50_ms: number
  readonly p99_ms: number
  readonly max_ms: number
  /** Cores that were busy: with the live server, with these readers, with everything. */
  readonly live_cpu_share: number
  readonly readers_cpu_share: number
  readonly machine_cpu_share: number
}

/** From receipt to delivery at these readers. */
export async function measured(
  clients: readonly SoakClient[],
  stack: SoakStack,
  seconds: number,
): Promise<Measured> {
  const { pid } = stack.memoryOf('live')
  const used = () => ({
    live: cpuSeconds(pid),
    readers: cpuSeconds(process.pid),
    machine: machineCpuSeconds(),
  })
  const before = used()
  for (const client of clients) client.measures = true
  await sleep(seconds * 1_000)
  for (const client of clients) client.measures = false
  const after = used()
  const share = (name: keyof typeof after): number =>
    Math.round(((after[name] - before[name]) / seconds) * 100) / 100
  const delays = Float64Array.from(
    clients.flatMap(({ delays_us }) => delays_us.splice(0)),
  ).toSorted()
  const at = (part: number): number =>
    Math.round((delays[Math.floor(delays.length * part)] ?? 0) / 100) / 10
  return {
    messages_per_s: Math.round(delays.length / seconds),
    p50_ms: at(0.5),
    p99_ms: at(0.99),
    max_ms: Math.round((delays.at(-1) ?? 0) / 100) / 10,
    live_cpu_share: share('live'),
    readers_cpu_share: share('readers'),
    machine_cpu_share: share('machine'),
  }
}
