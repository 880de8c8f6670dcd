/**
 * The part of a file's footer that a reader needs: its row groups, their symbols and times, and the
 * offsets of their columns. Kept small, because the footers of a day are held in memory at once.
 */
import { type FileMetaData, parquetMetadata, type SchemaElement } from 'hyparquet'
import { OperatorError } from '#core/errors.ts'
import type { TableShape } from '#core/archived-tables.ts'
import { type Micros, micros } from '#core/time.ts'
import { EXCHANGE_COLUMN, fileColumns, leafPaths, SYMBOL_COLUMN } from './schema.ts'

/** A local or stored file that is read by ranges. */
export interface RangeFile {
  /** Used in error messages. */
  readonly name: string
  readonly byte_count: number
  /** Bytes [from, to). */
  read(from: number, to: number): Promise<Uint8Array>
}

export interface Footer {
  readonly row_count: number
  /** In file order: by symbol, then by time. */
  readonly groups: readonly Group[]
  readonly leaves: readonly LeafPlace[]
}

export interface Group {
  readonly symbol: string
  readonly row_count: number
  /** First and last time of the rows, both inclusive. */
  readonly first_ts: Micros
  readonly last_ts: Micros
  /** Entries 2n and 2n + 1 are the start and end of leaf n, in bytes. */
  readonly ranges: Float64Array
}

export interface LeafPlace {
  /** The column that the leaf belongs to. */
  readonly column: string
  readonly codec: NonNullable<
    FileMetaData['row_groups'][number]['columns'][number]['meta_data']
  >['codec']
  /** Schema elements from below the root down to the leaf. */
  readonly elements: readonly SchemaElement[]
}

/** Covers the footer of most files in one request: about 100 bytes per column and row group. */
const FIRST_READ_BYTES = 512 * 1024
const TAIL_BYTES = 8
/** 400 times the size with 1,000 symbols; a larger footer cannot be valid. */
const FOOTER_BYTES_MAX = 512 * 1024 * 1024

/** Errors: `archive_unreadable` if the file does not belong to this table. */
export async function readFooter(file: RangeFile, table: TableShape): Promise<Footer> {
  return footerOf(file, await readMetadata(file), table)
}

/** The whole footer. Times are microseconds since 1970. */
export async function readMetadata(file: RangeFile): Promise<FileMetaData> {
  const { byte_count } = file
  const tail_from = Math.max(0, byte_count - FIRST_READ_BYTES)
  let tail = await file.read(tail_from, byte_count)
  if (tail.length < TAIL_BYTES) throw unreadable(file, `it has only ${tail.length} bytes`)
  const view = new DataView(tail.buffer, tail.byteOffset, tail.byteLength)
  const footer_bytes = view.getUint32(tail.length - TAIL_BYTES, true) + TAIL_BYTES
  if (footer_bytes > Math.min(byte_count, FOOTER_BYTES_MAX)) {
    throw unreadable(file, `its footer would have ${footer_bytes} bytes`)
  }
  if (footer_bytes > tail.length) {
    const rest = await file.read(byte_count - footer_bytes, tail_from)
    tail = Buffer.concat([rest, tail])
  }
  try {
    return parquetMetadata(tail, { parsers: { timestampFromMicroseconds: Number } })
  } catch (cause) {
    throw unreadable(file, cause instanceof Error ? cause.message : String(cause))
  }
}

function footerOf(file: RangeFile, metadata: FileMetaData, table: TableShape): Footer {
  const names = fileColumns(table)
  const expected = table.columns.flatMap((column, i) =>
    leafPaths({ ...column, name: names[i]! }).map((path) => path.join('.')),
  )
  const has_exchange = names.includes(EXCHANGE_COLUMN)
  const symbol_leaf = expected.indexOf(SYMBOL_COLUMN)
  const ts_leaf = expected.indexOf(table.identity[1])
  const groups = metadata.row_groups.map((group) => {
    const chunks = group.columns.map(({ meta_data }) => meta_data!)
    const paths = chunks.map(({ path_in_schema }) => path_in_schema.join('.'))
    const found = paths.at(-1) === EXCHANGE_COLUMN && !has_exchange ? paths.slice(0, -1) : paths
    if (found.join() !== expected.join()) {
      throw unreadable(file, `its columns are ${found.join(', ')}, not ${expected.join(', ')}`)
    }
    const { min_value: symbol } = chunks[symbol_leaf]!.statistics ?? {}
    const { min_value: first, max_value: last } = chunks[ts_leaf]!.statistics ?? {}
    return {
      symbol: String(symbol),
      row_count: Number(group.num_rows),
      first_ts: micros(Number(first)),
      last_ts: micros(Number(last)),
      ranges: Float64Array.from(
        chunks.flatMap((chunk) => {
          const begin = Number(chunk.dictionary_page_offset ?? chunk.data_page_offset)
          return [begin, begin + Number(chunk.total_compressed_size)]
        }),
      ),
    }
  })
  const columns = metadata.row_groups[0]?.columns ?? []
  const leaves = columns.map(({ meta_data }) => ({
    column: meta_data!.path_in_schema[0]!,
    codec: meta_data!.codec,
    elements: elementsOf(metadata.schema, meta_data!.path_in_schema),
  }))
  return { row_count: Number(metadata.num_rows), groups, leaves }
}

/** A schema is a tree, listed with every parent before its children. */
function elementsOf(
  schema: readonly SchemaElement[],
  path: readonly string[],
): readonly SchemaElement[] {
  const found: SchemaElement[] = []
  let at = 1
  for (const name of path) {
    while (schema[at]!.name !== name) at += treeSize(schema, at)
    found.push(schema[at]!)
    at += 1
  }
  return found
}

function treeSize(schema: readonly SchemaElement[], at: number): number {
  let size = 1
  for (let child = 0; child < (schema[at]!.num_children ?? 0); child++) {
    size += treeSize(schema, at + size)
  }
  return size
}

export function unreadable(file: Pick<RangeFile, 'name'>, found: string): OperatorError {
  return new OperatorError('archive_unreadable', `${file.name} cannot be read: ${found}.`, {
    hint: 'Compare its size and sha256 with its row in marketdata.archive.',
  })
}
