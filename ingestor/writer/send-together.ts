/**
 * Several statements and COPYs in one round trip: they are sent without waiting for answers in
 * between. If one fails, Postgres skips all after it, so a COMMIT at the end commits all or none.
 */
import { Query, type QueryResult } from 'pg'
import { COPY_HEADER } from '#core/node/pg-copy/format.ts'
import type { Client } from '#core/node/pool.ts'
import { type CopyRows, copySql } from './copy-encoder.ts'

type Connection = Client['connection']

export interface TableCopying {
  readonly target: string
  readonly rows: CopyRows
}

/** Of a statement that was prepared on this connection. */
export interface Execution {
  readonly name: string
  /** As Postgres reads them: text, or a type's binary form. */
  readonly values: readonly Value[]
}

export type Value = string | Buffer | null

/** A string is a statement without parameters and rows. */
export type Step = string | TableCopying | Execution

/**
 * Resolves with the result of each step. Rejects with the first error; a transaction that a step
 * began is then still to be rolled back.
 */
export function sendTogether(
  client: Client,
  steps: readonly Step[],
): Promise<readonly QueryResult[]> {
  return new Promise((resolve, reject) => {
    // It collects the results of all commands; its own text is not sent.
    const query = new Query('', (error, results: QueryResult | readonly QueryResult[]) => {
      if (error) reject(error)
      else resolve([results].flat())
    })
    const submit = (connection: Connection): void => {
      const { stream } = connection
      stream.cork()
      for (const step of steps) send(connection, step)
      connection.sync()
      stream.uncork()
    }
    // The rows are sent unasked.
    const handleCopyInResponse = (): void => undefined
    client.query(Object.assign(query, { submit, handleCopyInResponse }))
  })
}

function send(connection: Connection, step: Step): void {
  if (typeof step === 'object' && 'name' in step) {
    connection.bind({ statement: step.name, values: [...step.values] }, true)
    connection.describe({ type: 'P', name: '' }, true)
    connection.execute({}, true)
    return
  }
  const text = typeof step === 'string' ? step : copySql(step.rows.table, step.target)
  connection.parse({ name: '', text, types: [] }, true)
  connection.bind({}, true)
  connection.execute({}, true)
  if (typeof step === 'string') return
  const { bytes } = step.rows
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
