/** A day with one small file, to publish again and again with other bytes. */
import { mkdir, writeFile } from 'node:fs/promises'
import type { DatasetFile, Manifest } from '#core/dataset.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import { micros, parseDay } from '#core/time.ts'
import { describeFile } from '../../../jobs/datasets/files/describe-file.ts'
import { publishDay, type PublishOptions } from '../../../jobs/datasets/publish.ts'
import { datasetBytes } from '../../support/dataset-file.ts'

export const DATE = parseDay('2024-08-08')!
export const SYMBOL = 'BTCUSDT'
const MIDNIGHT = Date.parse('2024-08-08T00:00:00Z') * 1_000

export const publishing = (store: ObjectStore, now_ms = Date.now()): PublishOptions => ({
  // The lake has no table yet.
  namedFiles: async () => new Set(),
  store,
  job: 'features',
  date: DATE,
  keep_replaced_h: 24,
  now: () => now_ms,
  signal: new AbortController().signal,
})

export const factsOf = (file: DatasetFile, complete = true): Omit<Manifest, 'build'> => ({
  dataset: 'labels_1s',
  schema_version: 1,
  date: DATE,
  complete,
  row_count: file.row_count,
  columns: ['ts', 'exchange', 'symbol', 'value'].map((name) => ({
    name,
    type: name === 'ts' ? 'timestamp_us' : name === 'value' ? 'float64' : 'string',
    unit: '',
    description: '',
    formula: '',
    source: '',
    null_rule: '',
  })),
  files: [file],
  coverage: [],
})

/** SYMBOL has 50 + version rows; `value` is 1000 times the version plus the row's number. */
export async function writeVersion(dir: string, version: number): Promise<DatasetFile> {
  await mkdir(dir, { recursive: true })
  const row_count = 50 + version
  const times = Array.from({ length: row_count }, (_, i) => micros(MIDNIGHT + i * 1e6))
  const symbols = Array.from({ length: version }, (_, i) => `A${i}USDT`)
  const bytes = await datasetBytes([...symbols, SYMBOL], times, ['value'])
  await writeFile(`${dir}/labels_1s.parquet`, bytes)
  return describeFile(dir, 'labels_1s.parquet', 'parquet', row_count * (version + 1))
}

export async function publishVersion(
  options: PublishOptions,
  dir: string,
  version: number,
  complete = true,
): Promise<DatasetFile> {
  const file = await writeVersion(dir, version)
  await publishDay(options, dir, factsOf(file, complete))
  return file
}
