/** Rows of a lake table's hour as binary COPY, with the checksums of what passes through. */
import copyStreams from 'pg-copy-streams'
import { ARCHIVED_TABLES } from '#core/archived-tables.ts'
import type { Client } from '#core/node/pool.ts'
import { RowStream } from '#core/node/pg-copy/row-stream.ts'
import { copySql } from '../archive/copy-out.ts'
import { rowEnd, rowHasher, symbolIdReader } from '../archive/copy-rows.ts'
import type { TableHour } from '../archive/records.ts'
import { ChecksumSums, hashText } from '../columns/checksum.ts'
import { dataColumns } from '../columns/columns.ts'

/** `exchange symbol` by symbol_id. */
export type SymbolNames = ReadonlyMap<number, string>

export async function selectSymbolNames(client: Client): Promise<SymbolNames> {
  const { rows } = await client.query<{ id: string; name: string }>(
    "select id, exchange || ' ' || symbol as name from marketdata.symbols",
  )
  return new Map(rows.map(({ id, name }) => [Number(id), name]))
}

export function copyHourOut(client: Client, table_hour: TableHour): AsyncIterable<Buffer> {
  return client.query(copyStreams.to(copySql(table_hour)))
}

export function createSums({ table_name }: TableHour): ChecksumSums {
  return new ChecksumSums(dataColumns(ARCHIVED_TABLES[table_name]))
}

/** Reads the stream to its end. */
export async function sumRows(
  table_hour: TableHour,
  stream: AsyncIterable<Buffer>,
  names: SymbolNames,
): Promise<ChecksumSums> {
  const sums = createSums(table_hour)
  const rows = summed(table_hour, stream, names, sums)
  while ((await rows.next()).done !== true);
  return sums
}

/** Passes the stream on, and adds its rows to the sums. Throws if it is not whole. */
export async function* summed(
  { table_name }: TableHour,
  stream: AsyncIterable<Buffer>,
  names: SymbolNames,
  sums: ChecksumSums,
): AsyncGenerator<Buffer, void, undefined> {
  const table = ARCHIVED_TABLES[table_name]
  const hashRow = rowHasher(table)
  const readSymbolId = symbolIdReader(table)
  const hashes = new Map([...names].map(([id, name]) => [id, hashText(name)]))
  const rows = new RowStream()
  for await (const chunk of stream) {
    yield chunk
    const bytes = rows.add(chunk)
    if (bytes === undefined) continue
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    let at = 0
    for (;;) {
      const end = rowEnd(view, at, table.columns.length)
      if (end === undefined) break
      const symbol_id = readSymbolId(view, at)
      const hash = hashes.get(symbol_id)
      if (hash === undefined) throw new Error(`The symbols table lacks the id ${symbol_id}.`)
      hashRow(sums, hash, view, at)
      at = end
    }
    rows.keep(bytes.subarray(at))
  }
  rows.end()
}
