/** How long messages take to readers, and the CPU time that this costs. */
import { createHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { cpuSeconds, machineCpuSeconds } from '../../../bench/ingest/machine.ts'
import type { SoakClient } from './soak-client.ts'
import type { SoakStack } from './soak-stack.ts'
import type { Watch } from './watch.ts'

const DELAY_US_MAX = 600_000_000

export interface Measured {
  readonly messages_per_s: number
  readonly p50_ms: number
  readonly p99_ms: number
  readonly max_ms: number
  /** The longest that an event loop was held up. */
  readonly live_stall_ms: number
  readonly readers_stall_ms: number
  /** Cores that were busy: with the live server, with these readers, with everything. */
  readonly live_cpu_share: number
  readonly readers_cpu_share: number
  readonly machine_cpu_share: number
}

/** From receipt to delivery at these readers. */
export async function measured(
  clients: readonly SoakClient[],
  stack: SoakStack,
  watch: Watch,
  seconds: number,
): Promise<Measured> {
  const { pid } = stack.memoryOf('live')
  const used = () => ({
    live: cpuSeconds(pid),
    readers: cpuSeconds(process.pid),
    machine: machineCpuSeconds(),
  })
  const loop = monitorEventLoopDelay({ resolution: 5 })
  watch.resetMost()
  const before = used()
  loop.enable()
  // Not a list of millions of numbers, whose collection would hold up the readers.
  const delays = createHistogram({ lowest: 1, highest: DELAY_US_MAX })
  for (const client of clients) client.delays = delays
  await sleep(seconds * 1_000)
  for (const client of clients) client.delays = undefined
  loop.disable()
  const after = used()
  const share = (name: keyof typeof after): number =>
    Math.round(((after[name] - before[name]) / seconds) * 100) / 100
  const ms = (delay_us: number): number => Math.round(delay_us / 100) / 10
  return {
    messages_per_s: Math.round(delays.count / seconds),
    p50_ms: ms(delays.percentile(50)),
    p99_ms: ms(delays.percentile(99)),
    max_ms: ms(delays.max),
    live_stall_ms: watch.stall_ms_max,
    readers_stall_ms: Math.round(loop.max / 1_000_000),
    live_cpu_share: share('live'),
    readers_cpu_share: share('readers'),
    machine_cpu_share: share('machine'),
  }
}
