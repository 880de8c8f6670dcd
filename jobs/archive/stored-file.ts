/** A file of the archive brought back from the object store onto disk, and what its rows sum to. */
import { createReadStream, createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import type { ArchivedHour } from '#core/archive.ts'
import { ARCHIVED_TABLES } from '#core/archived-tables.ts'
import { OperatorError } from '#core/errors.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import { addRows, type Checksums, ChecksumSums } from '../columns/checksum.ts'
import { dataColumns, type SymbolRows } from '../columns/columns.ts'
import { digestOf } from '../columns/digest.ts'
import { readRows } from '../parquet/read.ts'
import { withLocalFile } from './read.ts'

/** Rows of one symbol, once they have been added to the sums. */
export type TakeRows = (symbol: string, rows: SymbolRows) => Promise<void>

/**
 * Reads the whole file back and adds up its rows; `take` gets them on the way. Errors:
 * `archive_differs` where the bytes, the number of rows or a column are not what they should be.
 */
export async function rereadFile(
  store: ObjectStore,
  expected: ArchivedHour & { readonly checksums: Checksums },
  path: string,
  take?: TakeRows,
): Promise<void> {
  const { object_key, table_name } = expected
  await download(store, expected, path)
  const table = ARCHIVED_TABLES[table_name]
  const sums = new ChecksumSums(dataColumns(table))
  await withLocalFile(path, async (file) => {
    for await (const { symbol, rows } of readRows(file, table)) {
      addRows(sums, symbol, rows)
      await take?.(symbol, rows)
    }
  })
  if (sums.row_count !== expected.row_count) {
    throw differs(object_key, `${sums.row_count} rows, not ${expected.row_count}`)
  }
  const found = sums.toChecksums()
  const wrong = Object.keys(found).filter((name) => found[name] !== expected.checksums[name])
  if (wrong.length > 0) throw differs(object_key, `other values in ${wrong.join(', ')}`)
}

async function download(store: ObjectStore, expected: ArchivedHour, path: string): Promise<void> {
  const { object_key, byte_count, sha256 } = expected
  const stream = await store.read(object_key)
  if (stream === undefined) throw differs(object_key, 'no such object in the store')
  await pipeline(stream, createWriteStream(path))
  const digest = await digestOf(createReadStream(path))
  if (digest.sha256 !== sha256) {
    throw differs(object_key, `${digest.bytes} bytes of another sha256, not ${byte_count}`)
  }
}

function differs(object_key: string, found: string): OperatorError {
  return new OperatorError('archive_differs', `${object_key} read back has ${found}.`, {
    hint: 'The partition stays in Postgres. Check the object store and the disk, then run again.',
    retryable: true,
  })
}
