/**
 * A temporary file of events. Postgres reads one stream at a time, while a merge needs several: so
 * each is written to disk first.
 */
import { open, rm } from 'node:fs/promises'
import type { Events } from './events.ts'

const NAMES = ['ev', 'exch_ts', 'local_ts', 'px', 'qty'] as const
const NUMBER_BYTES = 8

export interface EventSpool {
  write(events: Events): Promise<void>
  /** The batches as they were written, from the beginning each time. */
  read(): AsyncIterable<Events>
  /** Deletes the file. */
  close(): Promise<void>
}

export async function createSpool(path: string): Promise<EventSpool> {
  const file = await open(path, 'w+')
  /** Events of each batch. */
  const counts: number[] = []
  let end = 0
  return {
    async write(events) {
      const { count } = events
      if (count === 0) return
      const numbers = new Float64Array(NAMES.length * count)
      for (const [i, name] of NAMES.entries()) {
        numbers.set(events[name].subarray(0, count), i * count)
      }
      await file.write(new Uint8Array(numbers.buffer), 0, numbers.byteLength, end)
      end += numbers.byteLength
      counts.push(count)
    },
    async *read() {
      let at = 0
      for (const count of counts) {
        const numbers = new Float64Array(NAMES.length * count)
        const bytes = new Uint8Array(numbers.buffer)
        for (let filled = 0; filled < bytes.length;) {
          const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, at + filled)
          if (bytesRead === 0) throw new Error(`${path} ends early.`)
          filled += bytesRead
        }
        at += count * NAMES.length * NUMBER_BYTES
        const column = (i: number): Float64Array => numbers.subarray(i * count, (i + 1) * count)
        yield {
          count,
          ev: column(0),
          exch_ts: column(1),
          local_ts: column(2),
          px: column(3),
          qty: column(4),
        }
      }
    },
    async close() {
      await file.close()
      await rm(path, { force: true })
    },
  }
}
