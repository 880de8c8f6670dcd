/** The ingestor's memory under the design load, minute by minute. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from '#core/node/pool.ts'
import { residentBytes } from './machine.ts'
import { startRecording, type RecordingOptions } from './recording.ts'
import { slopePerMinute } from './slope.ts'

export interface MemoryOptions extends Omit<RecordingOptions, 'ingestor_id'> {
  readonly minutes: number
}

const EVENTS_PER_S = 10_000
const SAMPLE_MS = 1_000
/** Rows that are stored for longer would fill the disk. */
const EMPTY_MS = 5 * 60_000
const MB = 1_000_000

/** Prints the largest of each minute, then the maximum and the slope of the second half. */
export async function printMemory(pool: Pool, options: MemoryOptions): Promise<void> {
  const { minutes } = options
  const recording = await startRecording({ ...options, ingestor_id: 'memory' })
  const samples: { readonly at_s: number; readonly bytes: number }[] = []
  const ending = new AbortController()
  const { signal } = ending
  const watch = async (): Promise<void> => {
    for (let minute_bytes = 0; !signal.aborted;) {
      const bytes = residentBytes(recording.ingestor_pid)
      minute_bytes = Math.max(minute_bytes, bytes)
      samples.push({ at_s: performance.now() / 1_000, bytes })
      if (samples.length % 60 === 0) {
        const lag_ms = recording.status()?.lag_ms ?? 0
        print(`minute ${samples.length / 60}: ${inMb(minute_bytes)} MB, ${lag_ms} ms behind`)
        minute_bytes = 0
      }
      await sleep(SAMPLE_MS, undefined, { signal }).catch(() => undefined)
    }
  }
  const empty = async (): Promise<void> => {
    while (!signal.aborted) {
      await sleep(EMPTY_MS, undefined, { signal }).catch(() => undefined)
      await pool.query('truncate marketdata.book_ticker, marketdata.trades')
    }
  }
  try {
    const watching = Promise.all([watch(), empty()])
    const { sent_count, behind_ms_max } = await recording.pace([
      { events_per_s: EVENTS_PER_S, seconds: minutes * 60 },
    ])
    await recording.committed(sent_count)
    ending.abort()
    await watching
    const max_bytes = samples.reduce((max, { bytes }) => Math.max(max, bytes), 0)
    const second_half = samples.slice(Math.floor(samples.length / 2))
    print(
      `${sent_count.toLocaleString('en-US')} events in ${minutes} minutes, all committed; ` +
        `the sender was at most ${behind_ms_max} ms behind. At most ${inMb(max_bytes)} MB; ` +
        `second half ${(slopePerMinute(second_half) / MB).toFixed(2)} MB a minute.`,
    )
  } finally {
    ending.abort()
    await recording.stop()
  }
}

function inMb(bytes: number): string {
  return (bytes / MB).toFixed(0)
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
