/**
 * One round trip for a query and what comes before it in its transaction: statements and COPYs are
 * sent without waiting for their answers. If one fails, Postgres skips the rest, query included.
 */
import { Query, type QueryConfig, type QueryResult, type QueryResultRow } from 'pg'
import { COPY_HEADER } from '#core/node/pg-copy/format.ts'
import type { Client } from '#core/node/pool.ts'
import { type CopyRows, copySql } from './copy-encoder.ts'

type Connection = Client['connection']

export interface TableCopying {
  readonly target: string
  readonly rows: CopyRows
}

/** A statement without parameters and rows, or a COPY. */
export type Leading = string | TableCopying

/** `query` must be prepared on this connection, and is named. Rejects with the first error. */
export function queryAfter<R extends QueryResultRow>(
  client: Client,
  leading: readonly Leading[],
  query: QueryConfig,
): Promise<QueryResult<R>> {
  return new Promise((resolve, reject) => {
    const last = new Query<R>(query, (error, results: QueryResult<R> | QueryResult<R>[]) => {
      if (error) reject(error)
      // The driver collects the results of all commands.
      else resolve(Array.isArray(results) ? results.at(-1)! : results)
    })
    const submitQuery = last.submit.bind(last)
    const submit = (connection: Connection): void => {
      const { stream } = connection
      stream.cork()
      for (const item of leading) lead(connection, item)
      submitQuery(connection)
      stream.uncork()
    }
    // The rows are sent unasked.
    const handleCopyInResponse = (): void => undefined
    client.query(Object.assign(last, { submit, handleCopyInResponse }))
  })
}

function lead(connection: Connection, item: Leading): void {
  const text = typeof item === 'string' ? item : copySql(item.rows.table, item.target)
  connection.parse({ name: '', text, types: [] }, true)
  connection.bind({}, true)
  connection.execute({}, true)
  if (typeof item === 'string') return
  const { bytes } = item.rows
  connection.stream.write(copyHead(bytes.length))
  connection.stream.write(bytes)
  connection.stream.write(COPY_TAIL)
}

const COPY_DATA = 0x64
const COPY_DONE = 0x63
/** The size of a message counts itself. */
const SIZE_BYTES = 4

/** The message with the COPY header, and the beginning of the one with the rows. */
function copyHead(row_bytes: number): Buffer {
  const head = Buffer.allocUnsafe(2 * (1 + SIZE_BYTES) + COPY_HEADER.length)
  let end = head.writeUInt8(COPY_DATA, 0)
  end = head.writeInt32BE(SIZE_BYTES + COPY_HEADER.length, end)
  end += COPY_HEADER.copy(head, end)
  end = head.writeUInt8(COPY_DATA, end)
  head.writeInt32BE(SIZE_BYTES + row_bytes, end)
  return head
}

/** The message with the COPY trailer, and CopyDone. */
const COPY_TAIL = Buffer.from([COPY_DATA, 0, 0, 0, 6, 0xff, 0xff, COPY_DONE, 0, 0, 0, SIZE_BYTES])
