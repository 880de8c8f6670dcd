/**
 * Reads columns of a row group into typed arrays. Each of our leaves is one page (page.ts), and
 * lists need not become objects. bench/archive.ts compares it with DuckDB, which took twice as long
 * to return the same columns as JavaScript values.
 */
import { parquetHeader } from 'hyparquet/src/column.js'
import type { ArchivedColumn, TableShape } from '#core/archived-tables.ts'
import {
  type ColumnData,
  compareText,
  dataColumns,
  type LevelColumn,
  type NumberColumn,
  type SymbolRows,
} from '../columns/columns.ts'
import { decompress } from './codecs.ts'
import {
  type Footer,
  type Group,
  type LeafPlace,
  type RangeFile,
  readFooter,
  unreadable,
} from './footer.ts'
import { decodePage, decodeWords, type PageData } from './page.ts'

/** A smaller gap between two columns is read too, which saves a request. */
const GAP_BYTES_MAX = 256 * 1024

/** The requested columns by name. `symbol` is not among them: it is the group's. */
export async function readGroup(
  file: RangeFile,
  footer: Footer,
  group: Group,
  wanted: readonly ArchivedColumn[],
): Promise<ReadonlyMap<string, ColumnData>> {
  const names = new Set(wanted.map(({ name }) => name))
  const leaves = footer.leaves.flatMap((leaf, i) =>
    names.has(leaf.column)
      ? [{ leaf, from: group.ranges[2 * i]!, to: group.ranges[2 * i + 1]! }]
      : [],
  )
  const spans = await Promise.all(
    spansOf(leaves).map(async ({ from, to }) => {
      const bytes = await file.read(from, to)
      if (bytes.length !== to - from) {
        throw unreadable(file, `bytes ${from} to ${to} are incomplete`)
      }
      return { from, to, bytes }
    }),
  )
  const columns = new Map<string, ColumnData>()
  for (const column of wanted) {
    const decoded = leaves.flatMap(({ leaf, from, to }) => {
      if (leaf.column !== column.name) return []
      const span = spans.find((one) => one.from <= from && to <= one.to)!
      return decodeLeaf(span.bytes.subarray(from - span.from, to - span.from), leaf)
    })
    columns.set(column.name, columnOf(column, group.row_count, decoded))
  }
  return columns
}

/** All rows of a table's file, group by group. */
export async function* readRows(
  file: RangeFile,
  table: TableShape,
): AsyncGenerator<{ readonly symbol: string; readonly rows: SymbolRows }> {
  const footer = await readFooter(file, table)
  const wanted = dataColumns(table)
  for (const group of footer.groups) {
    const columns = await readGroup(file, footer, group, wanted)
    const { symbol, row_count } = group
    yield { symbol, rows: { row_count, columns: wanted.map(({ name }) => columns.get(name)!) } }
  }
}

/** Columns of the table by name, in the order of `names`. */
export function columnsByName(
  table: TableShape,
  names: readonly string[],
): readonly ArchivedColumn[] {
  return names.map((name) => {
    const column = table.columns.find((one) => one.name === name)
    if (column === undefined) throw new Error(`Table ${table.name} has no column ${name}.`)
    return column
  })
}

interface Span {
  readonly from: number
  readonly to: number
}

/** Leaves must be in file order. */
function spansOf(leaves: readonly Span[]): readonly Span[] {
  const spans: { from: number; to: number }[] = []
  for (const { from, to } of leaves) {
    const last = spans.at(-1)
    if (last !== undefined && from - last.to <= GAP_BYTES_MAX) last.to = to
    else spans.push({ from, to })
  }
  return spans
}

interface DecodedLeaf extends PageData {
  readonly dictionary: readonly string[] | undefined
}

function decodeLeaf(bytes: Uint8Array, { codec, elements }: LeafPlace): DecodedLeaf {
  const reader = {
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    offset: 0,
  }
  let dictionary: readonly string[] | undefined
  for (;;) {
    const header = parquetHeader(reader)
    const from = reader.offset
    reader.offset += header.compressed_page_size
    const compressed = bytes.subarray(from, reader.offset)
    const page = decompress(codec, compressed, header.uncompressed_page_size)
    if (page.length !== header.uncompressed_page_size) {
      throw new Error(`a page has ${page.length} bytes, not ${header.uncompressed_page_size}`)
    }
    if (header.dictionary_page_header !== undefined) {
      dictionary = decodeWords(page, header.dictionary_page_header.num_values)
      continue
    }
    const { encoding, num_values } = header.data_page_header!
    const has = (type: string): boolean =>
      elements.some(({ repetition_type }) => repetition_type === type)
    const data = decodePage(page, {
      type: elements.at(-1)!.type!,
      encoding,
      value_count: num_values,
      has_repetition: has('REPEATED'),
      has_definition: has('OPTIONAL') || has('REPEATED'),
    })
    return { ...data, dictionary }
  }
}

function columnOf(
  column: ArchivedColumn,
  row_count: number,
  [leaf, second]: readonly DecodedLeaf[],
): ColumnData {
  if (leaf === undefined) throw new Error(`Column ${column.name} has no leaf.`)
  switch (column.type) {
    case 'timestamptz':
    case 'int8':
    case 'float8':
      return numbersOf(leaf, row_count)
    case 'bool':
      return { kind: 'flags', values: leaf.values as Uint8Array }
    case 'text':
      return wordsOf(leaf)
    case 'levels':
      return levelsOf(leaf, second!, row_count)
  }
}

function numbersOf({ values, definition }: DecodedLeaf, row_count: number): NumberColumn {
  const present = values as Float64Array
  if (definition === undefined) return { kind: 'numbers', values: present, nulls: undefined }
  const spread = new Float64Array(row_count)
  const nulls = new Uint8Array(row_count)
  for (let row = 0, at = 0; row < row_count; row++) {
    if (definition[row] === 1) spread[row] = present[at++]!
    else nulls[row] = 1
  }
  return { kind: 'numbers', values: spread, nulls }
}

function wordsOf({ values, dictionary }: DecodedLeaf): ColumnData {
  if (dictionary !== undefined) {
    return { kind: 'texts', words: dictionary, codes: values as Uint8Array }
  }
  const texts = values as readonly string[]
  const words = [...new Set(texts)].toSorted(compareText)
  const code_of = new Map(words.map((word, code) => [word, code]))
  const codes = Uint8Array.from(texts, (text) => code_of.get(text)!)
  return { kind: 'texts', words, codes }
}

function levelsOf(price: DecodedLeaf, qty: DecodedLeaf, row_count: number): LevelColumn {
  const { repetition, definition } = price
  const ends = new Uint32Array(row_count)
  let row = -1
  let end = 0
  for (let i = 0; i < repetition!.length; i++) {
    if (repetition![i] === 0) row++
    if (definition === undefined || definition[i] === 1) end++
    ends[row] = end
  }
  return {
    kind: 'levels',
    ends,
    price: price.values as Float64Array,
    qty: qty.values as Float64Array,
  }
}
