/**
 * The measured process: the columns that the statement of duckdb.ts computes, from the same local
 * files, into one Parquet file, with the job's own folds and encoding in threads. It does nothing
 * that the statement does not do: no depth, labels, fits, Arrow, upload or reading back.
 */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { deserialize } from 'node:v8'
import { Worker } from 'node:worker_threads'
import type { DaySymbol } from '../../jobs/day/events.ts'
import type { PartPages } from '../../jobs/datasets/files/part.ts'
import { createPartsParquet } from '../../jobs/datasets/files/parts-parquet.ts'
import type { DuckDbFigures } from './duckdb.ts'
import { type ColumnsThread, wantedColumns } from './same-columns-thread.ts'

export interface SameColumnsTask extends ColumnsThread {
  readonly symbols: readonly DaySymbol[]
  readonly out: string
  readonly thread_count: number
}

/** The task is serialized by v8, because a plan is a map. */
export interface SameColumnsFile {
  readonly file: string
}

if (process.send !== undefined && process.argv[2] !== undefined) {
  const { file } = JSON.parse(process.argv[2]) as SameColumnsFile
  await run(deserialize(readFileSync(file)) as SameColumnsTask)
}

async function run(task: SameColumnsTask): Promise<void> {
  const before = process.resourceUsage()
  const began_ms = performance.now()
  const row_count = await build(task)
  const elapsed_s = (performance.now() - began_ms) / 1_000
  const after = process.resourceUsage()
  const cpuUs = (usage: NodeJS.ResourceUsage): number => usage.userCPUTime + usage.systemCPUTime
  const cpu_s = (cpuUs(after) - cpuUs(before)) / 1e6
  process.send!({ elapsed_s, cpu_s, row_count } satisfies DuckDbFigures)
  process.disconnect()
}

/** Returns the number of rows. */
async function build(task: SameColumnsTask): Promise<number> {
  const { symbols, out, thread_count, ...workerData } = task
  const identity = { dataset: 'features_1s', schema_version: 1, date: task.date }
  const file = await createPartsParquet(out, wantedColumns(task.names), identity)
  const made = symbols.map(() => Promise.withResolvers<PartPages>())
  const waiting = [...symbols.entries()]
  const working = Array.from({ length: Math.min(thread_count, symbols.length) }, async () => {
    const thread = new Worker(new URL('same-columns-thread.ts', import.meta.url), { workerData })
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [place, symbol] = next
      thread.postMessage(symbol, [])
      const [part] = (await once(thread, 'message')) as [PartPages]
      made[place]!.resolve(part)
    }
    await thread.terminate()
  })
  let row_count = 0
  for (const [place, symbol] of symbols.entries()) {
    const part = await made[place]!.promise
    await file.append(symbol, [part])
    row_count += part.row_count
  }
  await Promise.all(working)
  await file.finish()
  await file.close()
  return row_count
}
