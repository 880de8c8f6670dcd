/**
 * Reads rows of one instrument out of a Parquet file in the object store: the footer, and at most
 * three ranges more. Footers are kept in memory, and every range that was read in the cache of
 * the place: a file that was written never changes, so neither does what was read of it.
 */
import { parquetMetadataAsync, parquetRead, type AsyncBuffer, type FileMetaData } from 'hyparquet'
import { OperatorError } from '#core/errors.ts'
import type { ByteCache } from '../cache/byte-cache.ts'
import type { ObjectReader } from '../object-store.ts'
import type { LakeBudget } from './budget.ts'
import { coalesce, type ByteRange } from './byte-ranges.ts'
import { decompressors } from './decompressors.ts'
import { planRowGroups, type WantedRows } from './plan.ts'

export interface LakeFile {
  readonly key: string
  readonly byte_count: number
  /** What tells this content from any other under the same key. */
  readonly tag: string
}

/** Columns of the wanted rows in the order of the file. */
export interface LakeRows {
  readonly row_count: number
  readonly columns: ReadonlyMap<string, ArrayLike<unknown>>
}

export interface ParquetReader {
  /** Columns that the file has are given, others left out. Throws LakeBudgetError. */
  read(file: LakeFile, wanted: WantedRows, budget: LakeBudget): Promise<LakeRows>
}

const RANGES_MAX = 3
/** The footer grows with the file; most of the time one request gets it whole. */
const FOOTER_SHARE = 1 / 64
const FOOTER_BYTES = { least: 32 << 10, most: 512 << 10 }
/** Of footers as they lie in the files; in memory they take ten times as much. */
const KEPT_FOOTER_BYTES = 2 << 20

/** Times as microseconds, which are exact in a number; hyparquet's own Date is not. */
const parsers = { timestampFromMicroseconds: Number }

export function createParquetReader(store: ObjectReader, cache: ByteCache): ParquetReader {
  const footers = new Map<string, FileMetaData>()

  const fetchRange = async (
    file: LakeFile,
    { start, end }: ByteRange,
  ): Promise<Uint8Array<ArrayBuffer>> => {
    const name = `${file.key}?tag=${file.tag}&bytes=${start}-${end}`
    const bytes = await cache.read(name, () => store.readRange(file.key, start, end))
    if (bytes !== undefined && bytes.byteLength === end - start) return bytes
    throw damaged(file, bytes === undefined ? 'it is not there' : 'it is shorter than it was')
  }

  const readFooter = async (file: LakeFile): Promise<FileMetaData> => {
    const name = `${file.key} ${file.tag}`
    const known = footers.get(name)
    if (known !== undefined) return known
    const buffer: AsyncBuffer = {
      byteLength: file.byte_count,
      slice: async (start, end = file.byte_count) =>
        (await fetchRange(file, { start, end })).buffer,
    }
    const guess = Math.ceil(file.byte_count * FOOTER_SHARE)
    const initialFetchSize = Math.min(Math.max(guess, FOOTER_BYTES.least), FOOTER_BYTES.most)
    const footer = await readable(file, () =>
      parquetMetadataAsync(buffer, { parsers, initialFetchSize, geoparquet: false }),
    )
    keepFooter(footers, name, footer)
    return footer
  }

  return {
    async read(file, wanted, budget) {
      budget.openFile()
      const footer = await readFooter(file)
      const known = new Set(topLevelColumns(footer))
      const columns = wanted.columns.filter((name) => known.has(name))
      const { groups, ranges, unpacked_byte_count } = planRowGroups(footer, { ...wanted, columns })
      const fetched = coalesce(ranges, RANGES_MAX)
      budget.spend(
        fetched.reduce((sum, { start, end }) => sum + end - start, 0),
        unpacked_byte_count,
      )
      const parts = await Promise.all(
        fetched.map(async (range) => ({ range, bytes: await fetchRange(file, range) })),
      )
      const row_count = groups.reduce((sum, { num_rows }) => sum + Number(num_rows), 0)
      const metadata = { ...footer, row_groups: [...groups], num_rows: BigInt(row_count) }
      const buffer = { byteLength: file.byte_count, slice: sliceOf(parts) }
      return readable(file, () => readWindow(metadata, buffer, columns, wanted))
    },
  }
}

interface Part {
  readonly range: ByteRange
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** Gives out of what was fetched; hyparquet asks for nothing else. */
function sliceOf(parts: readonly Part[]): (start: number, end?: number) => ArrayBuffer {
  return (start, end = Infinity) => {
    const part = parts.find(({ range }) => start >= range.start && end <= range.end)
    if (part === undefined) throw new RangeError(`Bytes ${start} to ${end} were not planned.`)
    const from = start - part.range.start
    return part.bytes.buffer.slice(from, from + end - start)
  }
}

/** Column after column, of which only the wanted rows are kept: together they might not fit. */
async function readWindow(
  metadata: FileMetaData,
  file: AsyncBuffer,
  columns: readonly string[],
  wanted: WantedRows,
): Promise<LakeRows> {
  const times = (await readColumn(metadata, file, wanted.time_column)) as readonly number[]
  const first = countBefore(times, wanted.from)
  // Rows of the first moment may all lie before a cursor: they are not counted.
  const end = Math.min(
    countBefore(times, wanted.to),
    countBefore(times, wanted.from + 1) + wanted.row_count,
  )
  const found = new Map<string, readonly unknown[]>()
  for (const name of columns) {
    const values = name === wanted.time_column ? times : await readColumn(metadata, file, name)
    found.set(name, values.slice(first, end))
  }
  return { row_count: Math.max(0, end - first), columns: found }
}

async function readColumn(
  metadata: FileMetaData,
  file: AsyncBuffer,
  name: string,
): Promise<readonly unknown[]> {
  const values: unknown[] = []
  if (metadata.row_groups.length === 0) return values
  await parquetRead({
    metadata,
    file,
    columns: [name],
    compressors: decompressors,
    parsers,
    geoparquet: false,
    onChunk({ columnData, rowStart }) {
      for (let i = 0; i < columnData.length; i++) values[rowStart + i] = columnData[i]
    },
  })
  return values
}

/** How many of the times, which are in order, lie before a moment. */
function countBefore(times: readonly number[], ts: number): number {
  let [low, high] = [0, times.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (times[middle]! < ts) low = middle + 1
    else high = middle
  }
  return low
}

/** The names below the schema's root; what lies inside a list is not named. */
function topLevelColumns({ schema }: FileMetaData): readonly string[] {
  const names: string[] = []
  let inside = 0
  for (const { name, num_children = 0 } of schema.slice(1)) {
    if (inside === 0) names.push(name)
    else inside -= 1
    inside += num_children
  }
  return names
}

function keepFooter(footers: Map<string, FileMetaData>, name: string, footer: FileMetaData): void {
  footers.set(name, footer)
  let byte_count = 0
  for (const { metadata_length } of footers.values()) byte_count += metadata_length
  for (const [oldest, { metadata_length }] of footers) {
    if (byte_count <= KEPT_FOOTER_BYTES || oldest === name) return
    footers.delete(oldest)
    byte_count -= metadata_length
  }
}

/** Errors of hyparquet are the file's fault: it was compared when it was written. */
async function readable<T>(file: LakeFile, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof OperatorError) throw error
    throw damaged(file, 'it cannot be read as Parquet', error)
  }
}

function damaged({ key }: LakeFile, why: string, cause?: unknown): OperatorError {
  return new OperatorError('archive_damaged', `${key} cannot be used: ${why}.`, {
    hint: 'The operator has to look after the archive.',
    cause,
  })
}
