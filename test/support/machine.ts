/**
 * How much slower programs run because others use the machine: the time that a computation takes
 * over the CPU time that it gets, at least 1. It is measured while the test waits, because the load
 * of a shared machine changes within seconds.
 */
export interface MachineMeter {
  /** Ends the measurement. */
  end(): number
}

const PAUSE_MS = 200
/** Longer than a scheduler's slice: a program that just woke up runs at once. */
const CPU_MS = 30

export function measureMachine(): MachineMeter {
  let wall_ms = 0
  let cpu_ms = 0
  const sample = (): void => {
    const began_ms = performance.now()
    const before = process.threadCpuUsage()
    let used_ms = 0
    while (used_ms < CPU_MS) {
      const { user, system } = process.threadCpuUsage(before)
      used_ms = (user + system) / 1_000
    }
    wall_ms += performance.now() - began_ms
    cpu_ms += used_ms
  }
  sample()
  const timer = setInterval(sample, PAUSE_MS)
  return {
    end() {
      clearInterval(timer)
      sample()
      return Math.max(1, wall_ms / cpu_ms)
    },
  }
}
