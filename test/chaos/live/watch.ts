/** What the live server uses and counts, second by second, over all its lives. */
import type { SoakStack } from './soak-stack.ts'

const SAMPLE_MS = 1_000
/** Of the curve that is printed. */
const POINT_SAMPLES = 10

export class Watch {
  /** Resident memory of each life of the server, one list each [MB]. */
  readonly #lives: number[][] = []
  #pid = 0
  #waiting_bytes_max = 0
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

  /** The largest of ten seconds each; one list per life. */
  get memory_mb(): readonly (readonly number[])[] {
    return this.#lives.map((life) =>
      Array.from({ length: Math.ceil(life.length / POINT_SAMPLES) }, (_, at) =>
        Math.max(...life.slice(at * POINT_SAMPLES, (at + 1) * POINT_SAMPLES)),
      ),
    )
  }

  /** Slope of a line through the second half of the longest life [MB/min]. */
  get memory_mb_per_minute(): number {
    const longest = this.#lives.toSorted((a, b) => b.length - a.length)[0] ?? []
    const half = longest.slice(Math.floor(longest.length / 2))
    const middle = (half.length - 1) / 2
    const mean = half.reduce((sum, mb) => sum + mb, 0) / half.length
    let covariance = 0
    let variance = 0
    for (const [at, mb] of half.entries()) {
      covariance += (at - middle) * (mb - mean)
      variance += (at - middle) ** 2
    }
    return variance === 0 ? 0 : Math.round((covariance / variance) * 600) / 10
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
  }
}
