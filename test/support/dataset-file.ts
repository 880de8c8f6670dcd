/** Small valid dataset files, with a few rows per symbol. */
import { createHash } from 'node:crypto'
import { zstdCompressSync } from 'node:zlib'
import { ByteWriter, ParquetWriter } from 'hyparquet-writer'
import type { Manifest } from '#core/dataset.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import { datasetFileKey, manifestKey } from '#core/object-keys.ts'
import { parseDay } from '#core/time.ts'

/** Publishes a day with such a file, in the layout from before build folders. */
export async function publishRows(
  store: ObjectStore,
  dataset: string,
  date: string,
  symbols: readonly string[],
  times_us: readonly number[],
  names: readonly string[],
): Promise<Manifest> {
  const bytes = await datasetBytes(symbols, times_us, names)
  const manifest: Manifest = {
    dataset,
    schema_version: 1,
    date,
    complete: true,
    row_count: symbols.length * times_us.length,
    columns: ['ts', 'exchange', 'symbol', ...names].map((name) => ({
      name,
      type: name === 'ts' ? 'timestamp_us' : names.includes(name) ? 'float64' : 'string',
      unit: '',
      description: '',
      formula: '',
      source: '',
      null_rule: '',
    })),
    files: [
      {
        name: `${dataset}.parquet`,
        format: 'parquet',
        bytes: bytes.byteLength,
        sha256: createHash('sha256').update(bytes).digest('hex'),
        row_count: symbols.length * times_us.length,
      },
    ],
    coverage: [],
  }
  const day = parseDay(date)!
  const key = datasetFileKey(manifest, day, `${dataset}.parquet`)
  await store.put(key, bytes, 'application/octet-stream')
  await store.put(manifestKey(dataset, 1, day), JSON.stringify(manifest), 'application/json')
  return manifest
}

/** Every second value is null, except in the first column of `names`. */
export async function datasetBytes(
  symbols: readonly string[],
  times_us: readonly number[],
  names: readonly string[],
): Promise<Buffer> {
  const writer = new ByteWriter()
  const text = { repetition_type: 'REQUIRED', type: 'BYTE_ARRAY', converted_type: 'UTF8' } as const
  const time = { type: 'INT64', converted_type: 'TIMESTAMP_MICROS' } as const
  const parquet = new ParquetWriter({
    writer,
    schema: [
      { name: 'root', num_children: 3 + names.length },
      { name: 'ts', repetition_type: 'REQUIRED', ...time },
      { name: 'exchange', ...text },
      { name: 'symbol', ...text },
      ...names.map((name) => ({ name, repetition_type: 'OPTIONAL', type: 'DOUBLE' }) as const),
    ],
    codec: 'ZSTD',
    compressors: { ZSTD: zstdCompressSync },
    statisticsTruncateLength: Infinity,
  })
  for (const [at, symbol] of symbols.entries()) {
    await parquet.write({
      columnData: [
        { name: 'ts', data: BigInt64Array.from(times_us, BigInt) },
        { name: 'exchange', data: times_us.map(() => 'binance-futures') },
        { name: 'symbol', data: times_us.map(() => symbol) },
        ...names.map((name, column) => ({
          name,
          data: times_us.map((_, i) => (column > 0 && i % 2 === 1 ? null : at * 1_000 + i)),
        })),
      ],
      rowGroupSize: times_us.length,
    })
  }
  await parquet.finish()
  return Buffer.from(writer.getBytes())
}
