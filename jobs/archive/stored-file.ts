/** Downloads an archive file from the object store, and checks its rows against its sums. */
import { createReadStream, createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import type { ArchivedHour } from '#core/archive.ts'
import { ARCHIVED_TABLES } from '#core/archived-tables.ts'
import { OperatorError } from '#core/errors.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import { addRows, ChecksumSums } from '../columns/checksum.ts'
import { dataColumns, type SymbolRows } from '../columns/columns.ts'
import { digestOf } from '../columns/digest.ts'
import { readRows } from '../parquet/read.ts'
import { withLocalFile } from './read.ts'
import type { ArchivedFile } from './records.ts'

/** Gets rows of one symbol after they have been added to the sums. */
export type TakeRows = (symbol: string, rows: SymbolRows) => Promise<void>

/**
 * Reads the whole file back, sums its rows and passes them to `take`. Errors: `archive_differs` if
 * the bytes, the number of rows or the values of a column are not as expected.
 */
export async function rereadFile(
  store: ObjectStore,
  expected: ArchivedFile,
  path: string,
  take?: TakeRows,
): Promise<void> {
  const { object_key } = expected
  const sums = await sumFile(store, expected, path, take)
  if (sums.row_count !== expected.row_count) {
    throw differs(object_key, `it has ${sums.row_count} rows instead of ${expected.row_count}`)
  }
  const found = sums.toChecksums()
  const wrong = Object.keys(found).filter((name) => found[name] !== expected.checksums[name])
  if (wrong.length > 0) throw differs(object_key, `it has other values in ${wrong.join(', ')}`)
}

/** Reads the whole file, whose bytes must be those of its index, and sums its rows. */
export async function sumFile(
  store: ObjectStore,
  expected: ArchivedHour,
  path: string,
  take?: TakeRows,
): Promise<ChecksumSums> {
  await download(store, expected, path)
  const table = ARCHIVED_TABLES[expected.table_name]
  const sums = new ChecksumSums(dataColumns(table))
  await withLocalFile(path, async (file) => {
    for await (const { symbol, rows } of readRows(file, table)) {
      addRows(sums, symbol, rows)
      await take?.(symbol, rows)
    }
  })
  return sums
}

async function download(store: ObjectStore, expected: ArchivedHour, path: string): Promise<void> {
  const { object_key, byte_count, sha256 } = expected
  const stream = await store.read(object_key)
  if (stream === undefined) throw differs(object_key, 'the object store does not have it')
  await pipeline(stream, createWriteStream(path))
  const digest = await digestOf(createReadStream(path))
  if (digest.sha256 !== sha256) {
    const found = `it has ${digest.bytes} bytes instead of ${byte_count}`
    throw differs(object_key, `${found}, with another sha256`)
  }
}

function differs(object_key: string, found: string): OperatorError {
  return new OperatorError('archive_differs', `${object_key} was read back, but ${found}.`, {
    hint: 'The partition stays in Postgres. Check the object store and the disk, then run again.',
    retryable: true,
  })
}
