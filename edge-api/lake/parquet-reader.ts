/**
 * Reads rows of one instrument from a Parquet file in the object store: first the footer, then the
 * wanted columns, one row group and one leaf after another. It holds only a piece of the file, one
 * page and the rows that were read. Footers are kept in memory, and the pieces in the cache of the
 * edge location: a written file never changes, so neither do its pieces.
 */
import type { FileMetaData } from 'hyparquet'
import { OperatorError } from '#core/errors.ts'
import type { ByteCache } from '../cache/byte-cache.ts'
import type { MemoryGate } from '../memory/memory-gate.ts'
import { Problem } from '../problem.ts'
import type { ObjectReader } from '../store/object-store.ts'
import { LakeBudgetError, type LakeBudget } from './budget.ts'
import type { ByteRange } from './byte-ranges.ts'
import { createFooterReader, type LakeFile } from './footers.ts'
import { createLeafSource, heldBytes, type FileBytes } from './leaf-source.ts'
import { readBefore, type PickedRow } from './read-before.ts'
import { findNewest, readGroups, type LakeRows } from './read-group.ts'
import {
  planNewest,
  planRowGroups,
  type GroupPlan,
  type Having,
  type WantedRows,
} from './row-group-plan.ts'

export interface ParquetReader {
  /** Omits columns that the file lacks. Throws LakeBudgetError. */
  read(file: LakeFile, wanted: WantedRows, budget: LakeBudget): Promise<LakeRows>
  /** The newest row of the range; with `having`, the newest match. May find no row. */
  readNewest(
    file: LakeFile,
    wanted: WantedRows,
    having: Having | undefined,
    budget: LakeBudget,
  ): Promise<LakeRows>
  /** For each of the times, the newest row of the range before it. See read-before.ts. */
  readBefore(
    file: LakeFile,
    wanted: WantedRows,
    times: readonly number[],
    budget: LakeBudget,
  ): Promise<ReadonlyMap<number, PickedRow>>
}

/** Memory for reading a footer. */
const FOOTER_HELD_BYTES = 4 << 20

export function createParquetReader(
  store: ObjectReader,
  cache: ByteCache,
  memory: MemoryGate,
): ParquetReader {
  const fetchRange = async (
    file: LakeFile,
    { start, end }: ByteRange,
  ): Promise<Uint8Array<ArrayBuffer>> => {
    const name = `${file.key}?tag=${file.tag}&bytes=${start}-${end}`
    const bytes = await cache.read(name, () => store.readRange(file.key, start, end))
    if (bytes !== undefined && bytes.byteLength === end - start) return bytes
    throw damaged(file, bytes === undefined ? 'it does not exist' : 'it is too short')
  }
  const bytesOf = (file: LakeFile): FileBytes => ({
    read: (range) => fetchRange(file, range),
    async stream({ start, end }) {
      const bytes = await store.streamRange(file.key, start, end)
      if (bytes === undefined) throw damaged(file, 'it does not exist')
      return bytes
    },
  })
  const readFooter = createFooterReader(fetchRange)

  /** Reads planned row groups, within the request's budget and the memory of all requests. */
  const readPlanned = async <Found>(
    file: LakeFile,
    wanted: WantedRows,
    budget: LakeBudget,
    planOf: (footer: FileMetaData, wanted: WantedRows) => readonly GroupPlan[],
    readRows: (groups: readonly GroupPlan[], bytes: FileBytes) => Promise<Found>,
    nothing: Found,
  ): Promise<Found> => {
    budget.openFile()
    const footer = await memory.run(FOOTER_HELD_BYTES, () => readable(file, () => readFooter(file)))
    const columns = [...wanted.columns, wanted.time_column]
    const groups = planOf(footer, { ...wanted, columns })
    const leaves = groups.flatMap((group) => group.leaves)
    if (leaves.length === 0) return nothing
    return memory.run(heldBytes(leaves), () =>
      readable(file, () => readRows(groups, bytesOf(file))),
    )
  }

  return {
    read: (file, wanted, budget) =>
      readPlanned(
        file,
        wanted,
        budget,
        planRowGroups,
        (groups, bytes) => {
          spendAll(groups, budget)
          const leaves = groups.flatMap((group) => group.leaves)
          return readGroups(groups, createLeafSource(leaves, bytes), wanted)
        },
        NO_ROWS,
      ),
    readNewest: (file, wanted, having, budget) =>
      readPlanned(
        file,
        wanted,
        budget,
        (footer, known) => planNewest(footer, known, having),
        (groups, bytes) => findNewest(groups, bytes, wanted, having, budget),
        NO_ROWS,
      ),
    readBefore: (file, wanted, times, budget) =>
      readPlanned(
        file,
        wanted,
        budget,
        planRowGroups,
        (groups, bytes) => readBefore(groups, bytes, wanted, times, budget),
        new Map(),
      ),
  }
}

const NO_ROWS: LakeRows = { row_count: 0, columns: new Map() }

function spendAll(groups: readonly GroupPlan[], budget: LakeBudget): void {
  for (const { leaves } of groups) {
    for (const { start, end, chunk } of leaves) {
      budget.spend(end - start, Number(chunk.total_uncompressed_size))
    }
  }
}

/** Turns hyparquet's errors into `archive_damaged`: the file was verified when it was written. */
async function readable<T>(file: LakeFile, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    const is_ours = [OperatorError, LakeBudgetError, Problem].some((kind) => error instanceof kind)
    throw is_ours ? error : damaged(file, 'it cannot be read as Parquet', error)
  }
}

function damaged({ key }: LakeFile, why: string, cause?: unknown): OperatorError {
  return new OperatorError('archive_damaged', `${key} cannot be used: ${why}.`, {
    hint: 'An operator must check the archive.',
    cause,
  })
}
