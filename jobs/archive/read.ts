/**
 * Reads one symbol's rows of an archived hour as typed arrays, ordered by (ts_exchange, id). A
 * symbol costs one range request per row group, plus one per file for the footer. The next group is
 * fetched while one is being processed.
 */
import { open } from 'node:fs/promises'
import type { ArchivedHour } from '#core/archive.ts'
import { ARCHIVED_TABLES } from '#core/archived-tables.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import type { Micros } from '#core/time.ts'
import { RowChunk } from '../columns/row-chunk.ts'
import {
  type Footer,
  type Group,
  type RangeFile,
  readFooter,
  unreadable,
} from '../parquet/footer.ts'
import { columnsByName, readGroup } from '../parquet/read.ts'

/** The rows to read. */
export interface WantedRows {
  readonly symbol: string
  /** Columns of the table, except symbol_id. */
  readonly columns: readonly string[]
  /** Row groups outside [from, to) are skipped; others are read whole. */
  readonly from?: Micros
  readonly to?: Micros
}

export interface ArchiveReader {
  /** The hour's symbols and their row counts, in the order of their UTF-8 bytes. */
  symbols(hour: ArchivedHour): Promise<readonly SymbolExtent[]>
  /** Yields nothing if the hour does not have the symbol. */
  readSymbolHour(hour: ArchivedHour, wanted: WantedRows): AsyncGenerator<RowChunk>
}

export interface SymbolExtent {
  readonly symbol: string
  readonly row_count: number
  /** First and last ts_exchange, both inclusive. */
  readonly first_ts: Micros
  readonly last_ts: Micros
}

/** A day of five tables: about 20 KB each with 200 symbols. */
const FOOTERS_MAX = 24 * 5 * 2

/**
 * Footers are cached by key, since a version of a file never changes. Errors: `archive_unreadable`
 * if a file is missing or does not match its record.
 */
export function createArchiveReader(
  store: Pick<ObjectStore, 'readRange'>,
  footers_max = FOOTERS_MAX,
): ArchiveReader {
  const footers = new Map<string, Promise<Footer>>()

  const footerOf = (hour: ArchivedHour): Promise<Footer> => {
    const { object_key, table_name } = hour
    const known = footers.get(object_key)
    footers.delete(object_key)
    const footer = known ?? readFooter(storedFile(store, hour), ARCHIVED_TABLES[table_name])
    // Least recently used first: that one is evicted. A failed read is not cached.
    footers.set(object_key, footer)
    footer.catch(() => footers.delete(object_key))
    if (footers.size > footers_max) footers.delete(footers.keys().next().value!)
    return footer
  }

  return {
    async symbols(hour) {
      return spansOf((await footerOf(hour)).groups)
    },
    async *readSymbolHour(hour, { symbol, columns, from, to }) {
      const footer = await footerOf(hour)
      const file = storedFile(store, hour)
      const wanted = columnsByName(ARCHIVED_TABLES[hour.table_name], columns)
      const groups = footer.groups.filter(
        (group) =>
          group.symbol === symbol &&
          (from === undefined || group.last_ts >= from) &&
          (to === undefined || group.first_ts < to),
      )
      const fetch = (index: number): ReturnType<typeof readGroup> | undefined => {
        const group = groups[index]
        if (group === undefined) return undefined
        const columns_read = readGroup(file, footer, group, wanted)
        // The error surfaces when the loop awaits the columns; until then it must not be unhandled.
        columns_read.catch(() => undefined)
        return columns_read
      }
      let next = fetch(0)
      for (const [index, { row_count }] of groups.entries()) {
        const current = (await next)!
        next = fetch(index + 1)
        yield new RowChunk(row_count, current)
      }
    },
  }
}

/** Opens a local file for range reads while `use` runs. */
export async function withLocalFile<T>(
  path: string,
  use: (file: RangeFile) => Promise<T>,
): Promise<T> {
  const handle = await open(path)
  try {
    const { size } = await handle.stat()
    return await use({
      name: path,
      byte_count: size,
      async read(from, to) {
        const { buffer, bytesRead } = await handle.read(Buffer.alloc(to - from), 0, to - from, from)
        return buffer.subarray(0, bytesRead)
      },
    })
  } finally {
    await handle.close()
  }
}

function storedFile(store: Pick<ObjectStore, 'readRange'>, hour: ArchivedHour): RangeFile {
  const { object_key: name, byte_count } = hour
  return {
    name,
    byte_count,
    async read(from, to) {
      const bytes = await store.readRange(name, from, to)
      if (bytes === undefined) throw unreadable({ name }, 'the object store does not have it')
      return bytes
    },
  }
}

function spansOf(groups: readonly Group[]): readonly SymbolExtent[] {
  const spans: { symbol: string; row_count: number; first_ts: Micros; last_ts: Micros }[] = []
  for (const { symbol, row_count, first_ts, last_ts } of groups) {
    const span = spans.at(-1)
    if (span?.symbol === symbol) {
      span.row_count += row_count
      span.last_ts = last_ts
    } else spans.push({ symbol, row_count, first_ts, last_ts })
  }
  return spans
}
