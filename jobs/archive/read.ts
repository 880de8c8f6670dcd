/**
 * The archive as jobs read it: one symbol's rows of an hour, in the order of (ts_exchange, id), as
 * columns of typed arrays. A symbol costs one range request a row group, and the file's footer
 * once; the next group is fetched while one is worked on.
 */
import { open } from 'node:fs/promises'
import type { ArchivedHour } from '#core/archive.ts'
import { ARCHIVED_TABLES } from '#core/archived-tables.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import type { Micros } from '#core/time.ts'
import { RowChunk } from '../columns/row-chunk.ts'
import { type Footer, type Group, type RangeFile, readFooter, unreadable } from '../parquet/footer.ts'
import { columnsByName, readGroup } from '../parquet/read.ts'

/** What of a symbol is wanted. */
export interface WantedRows {
  readonly symbol: string
  /** Columns of the table but symbol_id. */
  readonly columns: readonly string[]
  /** Row groups that lie before it, or at or after `to`, are left out; others come whole. */
  readonly from?: Micros
  readonly to?: Micros
}

export interface ArchiveReader {
  /** The hour's symbols with their number of rows, in the order of their UTF-8 bytes. */
  symbols(hour: ArchivedHour): Promise<readonly SymbolSpan[]>
  /** Nothing where the hour has no such symbol. */
  readSymbolHour(hour: ArchivedHour, wanted: WantedRows): AsyncGenerator<RowChunk>
}

export interface SymbolSpan {
  readonly symbol: string
  readonly row_count: number
  /** Of ts_exchange, both inclusive. */
  readonly first_ts: Micros
  readonly last_ts: Micros
}

/** A day of five tables: some 20 KB each with 200 symbols. */
const FOOTERS_MAX = 24 * 5 * 2

/**
 * Footers are kept by their key: a version of a file never changes. Errors:
 * `archive_unreadable` where a file is gone or is not what its row says.
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
    // The newest at the end; the oldest goes. One that failed is not kept.
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
        // Whoever waits for it gets the error; until then it is nobody's.
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

/** A file on disk, as it is read by ranges; `use` has it while it is open. */
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

function spansOf(groups: readonly Group[]): readonly SymbolSpan[] {
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
