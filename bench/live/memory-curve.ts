/** The resident memory of a process, second by second. */
import { residentBytes } from '../ingest/machine.ts'

const SAMPLE_MS = 1_000
/** Of the curve that is printed. */
const POINT_SAMPLES = 10
const MB = 1024 * 1024

export interface MemoryCurve {
  /** The largest of ten seconds each [MB]. */
  readonly points_mb: readonly number[]
  readonly max_mb: number
  /** Slope of a line through the second half. */
  readonly mb_per_minute: number
}

/** Call the returned function to end it. */
export function watchMemory(pid: number): () => MemoryCurve {
  const samples: number[] = []
  const timer = setInterval(() => samples.push(residentBytes(pid) / MB), SAMPLE_MS)
  return () => {
    clearInterval(timer)
    return curveOf(samples)
  }
}

/** `samples`: one a second [MB]. */
export function curveOf(samples: readonly number[]): MemoryCurve {
  const points_mb = Array.from({ length: Math.ceil(samples.length / POINT_SAMPLES) }, (_, at) =>
    Math.round(Math.max(...samples.slice(at * POINT_SAMPLES, (at + 1) * POINT_SAMPLES))),
  )
  return {
    points_mb,
    max_mb: Math.max(0, ...points_mb),
    mb_per_minute: slopeOf(samples.slice(Math.floor(samples.length / 2))),
  }
}

function slopeOf(samples: readonly number[]): number {
  const middle = (samples.length - 1) / 2
  const mean = samples.reduce((sum, mb) => sum + mb, 0) / samples.length
  let covariance = 0
  let variance = 0
  for (const [at, mb] of samples.entries()) {
    covariance += (at - middle) * (mb - mean)
    variance += (at - middle) ** 2
  }
  return variance === 0 ? 0 : Math.round((covariance / variance) * 600) / 10
}
