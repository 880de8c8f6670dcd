/** What the live server uses and counts, second by second, over all its lives. */
import { curveOf, type MemoryCurve } from '../../../bench/live/memory-curve.ts'
import type { SoakStack } from './soak-stack.ts'

const SAMPLE_MS = 1_000

export class Watch {
  /** Resident memory of each life of the server, one list each [MB]. */
  readonly #lives: number[][] = []
  #pid = 0
  #waiting_bytes_max = 0
  #memory_mb_max = 0
  #stall_ms_max = 0
  /** Counters of lives that have ended, and of the one that runs. */
  readonly #ended = new Map<string, number>()
  #newest: ReadonlyMap<string, number> = new Map()
  readonly #stack: SoakStack
  readonly #timer: NodeJS.Timeout

  constructor(stack: SoakStack) {
    this.#stack = stack
    this.#timer = setInterval(() => void this.#look(), SAMPLE_MS)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Of each life. */
  get memory(): readonly MemoryCurve[] {
    return this.#lives.map(curveOf)
  }

  /** Resident memory now [MB]. */
  get newest_mb(): number {
    return this.#lives.at(-1)?.at(-1) ?? 0
  }

  /** Since resetMost [MB]. */
  get memory_mb_max(): number {
    return this.#memory_mb_max
  }

  resetMost(): void {
    this.#memory_mb_max = 0
    this.#waiting_bytes_max = 0
    this.#stall_ms_max = 0
  }

  /** The longest that its event loop was held up since resetMost [ms]. */
  get stall_ms_max(): number {
    return this.#stall_ms_max
  }

  /** The most that waited for all clients together. */
  get waiting_bytes_max(): number {
    return this.#waiting_bytes_max
  }

  total(name: string): number {
    return (this.#ended.get(name) ?? 0) + (this.#newest.get(name) ?? 0)
  }

  /** Totals of the metric by the value of its label. */
  totals(name: string): Record<string, number> {
    const names = new Set([...this.#ended.keys(), ...this.#newest.keys()])
    const found: Record<string, number> = {}
    for (const full of names) {
      if (!full.startsWith(`${name}{`)) continue
      const total = this.total(full)
      if (total > 0) found[/="([^"]+)"/.exec(full)![1]!] = total
    }
    return found
  }

  async #look(): Promise<void> {
    const { pid, memory_mb } = this.#stack.memoryOf('live')
    if (memory_mb === 0) return
    if (pid !== this.#pid) this.#lives.push([])
    this.#pid = pid
    this.#lives.at(-1)!.push(memory_mb)
    this.#memory_mb_max = Math.max(this.#memory_mb_max, memory_mb)
    const values = await this.#stack.metrics()
    if (values.size === 0) return
    const records = 'live_records_total'
    if ((values.get(records) ?? 0) < (this.#newest.get(records) ?? 0)) {
      for (const [name, value] of this.#newest) {
        this.#ended.set(name, (this.#ended.get(name) ?? 0) + value)
      }
    }
    this.#newest = values
    const waiting = values.get('live_waiting_bytes') ?? 0
    this.#waiting_bytes_max = Math.max(this.#waiting_bytes_max, waiting)
    const stall_s = values.get('nodejs_eventloop_lag_max_seconds') ?? 0
    this.#stall_ms_max = Math.max(this.#stall_ms_max, Math.round(stall_s * 1_000))
  }
}
