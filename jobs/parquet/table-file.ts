/**
 * Writes a file of a table's hour or day, one row group at a time, each with rows of one symbol.
 * The same rows give the same bytes. Each column of a row group has one page of version 1, which
 * every reader can read. hyparquet-writer writes the footer.
 */
import { open } from 'node:fs/promises'
import type { ColumnChunk, RowGroup, Statistics } from 'hyparquet'
import { ByteWriter } from 'hyparquet-writer'
import { writePageHeader } from 'hyparquet-writer/src/datapage.js'
import { writeMetadata } from 'hyparquet-writer/src/metadata.js'
import type { TableShape } from '#core/archived-tables.ts'
import { dataColumns, type SymbolRows } from '../columns/columns.ts'
import { type Codec, compress, PARQUET_NAME } from './codecs.ts'
import { CREATED_BY } from './identity.ts'
import { encodeColumn, encodeConstant, type Leaf, plainWords, type RowRange } from './leaf.ts'
import { EXCHANGE_COLUMN, fileColumns, leafPaths, schemaOf, SYMBOL_COLUMN } from './schema.ts'

export interface TableFileOptions {
  readonly path: string
  readonly table: TableShape
  readonly codec: Codec
  /** Of all rows: becomes the last column. Undefined if it is among the table's columns. */
  readonly exchange?: string
  /** Keys and values to put into the footer. */
  readonly facts: Readonly<Record<string, string>>
}

export interface TableFile {
  /** Writes rows [from, to) as one row group. */
  writeGroup(symbol: string, rows: SymbolRows, range: RowRange): Promise<void>
  /** Writes the footer. */
  finish(): Promise<void>
  /** Call after finish(), or to abandon the file. */
  close(): Promise<void>
}

const MAGIC = Buffer.from('PAR1')

export async function createTableFile(options: TableFileOptions): Promise<TableFile> {
  const { path, table, codec, facts, exchange } = options
  const file = await open(path, 'w')
  await file.writeFile(MAGIC)
  const row_groups: RowGroup[] = []
  const sorting_columns = sortingColumns(table)
  let offset = MAGIC.length
  return {
    async writeGroup(symbol, rows, range) {
      const group_offset = offset
      const columns: ColumnChunk[] = []
      const parts: Uint8Array[] = []
      for (const { path: path_in_schema, leaf } of leavesOf(options, symbol, rows, range)) {
        const chunk = encodeChunk(leaf, path_in_schema, codec, offset)
        columns.push(chunk.column)
        parts.push(...chunk.parts)
        offset += chunk.byte_count
      }
      await file.writeFile(Buffer.concat(parts))
      row_groups.push({
        columns,
        num_rows: BigInt(range.to - range.from),
        total_byte_size: columns.reduce(
          (sum, { meta_data }) => sum + meta_data!.total_uncompressed_size,
          0n,
        ),
        total_compressed_size: BigInt(offset - group_offset),
        file_offset: BigInt(group_offset),
        sorting_columns,
      })
    },
    async finish() {
      const footer = new ByteWriter()
      const metadata = {
        version: isPlain(codec) ? 1 : 2,
        created_by: CREATED_BY,
        schema: schemaOf(table, exchange !== undefined),
        num_rows: row_groups.reduce((sum, group) => sum + group.num_rows, 0n),
        row_groups,
        metadata_length: 0,
        key_value_metadata: Object.entries(facts).map(([key, value]) => ({ key, value })),
      }
      // Names of symbols can exceed the 16 bytes that statistics keep by default.
      writeMetadata(footer, metadata, Infinity)
      await file.writeFile(Buffer.concat([footer.getBytes(), MAGIC]))
    },
    close: () => file.close(),
  }
}

/** Snappy and gzip are for old readers, which can read only the PLAIN encoding. */
function isPlain(codec: Codec): boolean {
  return codec !== 'zstd'
}

type PathLeaf = { readonly path: readonly string[]; readonly leaf: Leaf }

/** Encodes leaf by leaf, so that memory holds only the one that is being written. */
function* leavesOf(
  { table, codec, exchange }: TableFileOptions,
  symbol: string,
  rows: SymbolRows,
  range: RowRange,
): Generator<PathLeaf> {
  const data = new Map(dataColumns(table).map(({ name }, i) => [name, rows.columns[i]!]))
  const options = { plain: isPlain(codec) }
  for (const column of table.columns) {
    const of_column = data.get(column.name)
    if (of_column === undefined) {
      const leaf = encodeConstant(symbol, range.to - range.from, options)
      yield { path: [SYMBOL_COLUMN], leaf }
      continue
    }
    const paths = leafPaths(column)
    for (const [i, leaf] of encodeColumn(column, of_column, range, options).entries()) {
      yield { path: paths[i]!, leaf }
    }
  }
  if (exchange !== undefined) {
    yield {
      path: [EXCHANGE_COLUMN],
      leaf: encodeConstant(exchange, range.to - range.from, options),
    }
  }
}

/** A column chunk that begins at `offset` of its file. */
export interface EncodedChunk {
  readonly column: ColumnChunk
  readonly parts: readonly Uint8Array[]
  readonly byte_count: number
}

export function encodeChunk(
  leaf: Leaf,
  path_in_schema: readonly string[],
  codec: Codec,
  offset: number,
): EncodedChunk {
  const { dictionary } = leaf
  return chunkOfPages([encodePage(leaf, codec)], { path_in_schema, dictionary, codec, offset })
}

/** Some rows of a column as a data page, independent of its offset in the file. */
export interface EncodedPage extends Pick<
  Leaf,
  'type' | 'encoding' | 'value_count' | 'statistics'
> {
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Including the page header. */
  readonly uncompressed_bytes: number
}

export function encodePage(leaf: Leaf, codec: Codec): EncodedPage {
  const { type, encoding, value_count, statistics } = leaf
  const { header, body, uncompressed_bytes } = dataPage(leaf, codec)
  const bytes = new Uint8Array(header.length + body.length)
  bytes.set(header)
  bytes.set(body, header.length)
  return { type, encoding, value_count, statistics, bytes, uncompressed_bytes }
}

export interface ChunkPlace {
  readonly path_in_schema: readonly string[]
  /** The words that the values of the pages index; undefined without a dictionary. */
  readonly dictionary: readonly string[] | undefined
  readonly codec: Codec
  /** File offset of the chunk's first byte. */
  readonly offset: number
}

/** Joins one or more pages into a chunk. */
export function chunkOfPages(
  pages: readonly EncodedPage[],
  { path_in_schema, dictionary, codec, offset }: ChunkPlace,
): EncodedChunk {
  const words = dictionary === undefined ? undefined : dictionaryPage(dictionary, codec)
  const data_page_offset = offset + (words?.byte_count ?? 0)
  const sum = (of: (page: EncodedPage) => number): number =>
    pages.reduce((total, page) => total + of(page), 0)
  const byte_count = (words?.byte_count ?? 0) + sum(({ bytes }) => bytes.length)
  const uncompressed =
    (words?.uncompressed_bytes ?? 0) + sum(({ uncompressed_bytes }) => uncompressed_bytes)
  const encodings = [...new Set(pages.map(({ encoding }) => encoding))]
  return {
    column: {
      file_offset: BigInt(offset),
      meta_data: {
        type: pages[0]!.type,
        encodings: words === undefined ? encodings : ['PLAIN', ...encodings],
        path_in_schema: [...path_in_schema],
        codec: PARQUET_NAME[codec],
        num_values: BigInt(sum(({ value_count }) => value_count)),
        total_uncompressed_size: BigInt(uncompressed),
        total_compressed_size: BigInt(byte_count),
        data_page_offset: BigInt(data_page_offset),
        ...(words === undefined ? {} : { dictionary_page_offset: BigInt(offset) }),
        statistics: mergeStatistics(pages.map(({ statistics }) => statistics)),
      },
    },
    parts: [
      ...(words === undefined ? [] : [words.header, words.body]),
      ...pages.map(({ bytes }) => bytes),
    ],
    byte_count,
  }
}

/** Bounds exist if any page has a value other than NaN or null. */
function mergeStatistics(all: readonly Statistics[]): Statistics {
  const null_count = all.reduce((sum, one) => sum + (one.null_count ?? 0n), 0n)
  const known = all.filter(({ min_value }) => min_value !== undefined)
  if (known.length === 0) return { null_count }
  const minima = known.map(({ min_value }) => min_value!)
  const maxima = known.map(({ max_value }) => max_value!)
  return {
    null_count,
    min_value: minima.reduce((least, value) => (value < least ? value : least)),
    max_value: maxima.reduce((most, value) => (value > most ? value : most)),
  }
}

interface Page {
  readonly header: Uint8Array
  readonly body: Uint8Array
  readonly byte_count: number
  readonly uncompressed_bytes: number
}

function dataPage(leaf: Leaf, codec: Codec): Page {
  return makePage(leaf.body, codec, {
    type: 'DATA_PAGE',
    data_page_header: {
      num_values: leaf.value_count,
      encoding: leaf.encoding,
      definition_level_encoding: 'RLE',
      repetition_level_encoding: 'RLE',
    },
  })
}

function dictionaryPage(words: readonly string[], codec: Codec): Page {
  return makePage(plainWords(words, words.keys()), codec, {
    type: 'DICTIONARY_PAGE',
    dictionary_page_header: { num_values: words.length, encoding: 'PLAIN' },
  })
}

type PageKind = Omit<
  Parameters<typeof writePageHeader>[1],
  'compressed_page_size' | 'uncompressed_page_size'
>

function makePage(bytes: Uint8Array, codec: Codec, kind: PageKind): Page {
  const body = compress(codec, bytes)
  const writer = new ByteWriter()
  writePageHeader(writer, {
    ...kind,
    uncompressed_page_size: bytes.length,
    compressed_page_size: body.length,
  })
  const header = writer.getBytes()
  return {
    header,
    body,
    byte_count: header.length + body.length,
    uncompressed_bytes: header.length + bytes.length,
  }
}

/** Symbol, then the table's identity. Indexes count leaves, not columns; levels come last. */
function sortingColumns(table: TableShape): NonNullable<RowGroup['sorting_columns']> {
  const names = fileColumns(table)
  return table.identity.map((name) => ({
    column_idx: names.indexOf(name === 'symbol_id' ? SYMBOL_COLUMN : name),
    descending: false,
    nulls_first: false,
  }))
}
