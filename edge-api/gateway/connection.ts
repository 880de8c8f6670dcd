/**
 * A connection to Postgres that reads one statement at a time, within limits of time and size. Its
 * listener and timer serve every statement: to set them up each time costs more than all else that
 * a small statement does here.
 */
import type { Socket } from 'node:net'
import { OperatorError } from '#core/errors.ts'
import type { Client } from '#core/node/pool.ts'
import type { GatewayLimits } from './config.ts'
import { readOnlyQuery, type Field } from './read-only-query.ts'

export interface Statement {
  readonly query: string
  readonly params: readonly (string | number | boolean | null)[]
}

/** The answer in the format of Neon's driver: every value in Postgres's text format. */
export interface Answer {
  readonly command: string
  readonly rowCount: number
  readonly rowAsArray: true
  readonly rows: readonly (readonly (string | null)[])[]
  readonly fields: readonly Field[]
}

/** Postgres counts as unreachable if it takes longer for something that needs no work. */
export const ANSWER_LIMIT_MS = 1_000
/** Allowance for lengths and row headers of an answer. */
const PROTOCOL_BYTES = 1 << 20

export function unreachable(cause: unknown): OperatorError {
  return new OperatorError('database_unreachable', 'Postgres cannot be reached.', {
    retryable: true,
    cause,
  })
}

/** The statement that runs. */
interface Running {
  readonly until_ms: number
  readonly bytes_max: number
  received_bytes: number
  readonly reject: (error: Error) => void
}

export class Connection {
  readonly client: Client
  /** Once it was given back: then it may have ended before the next statement. */
  was_kept = false
  readonly #stream: Socket
  #running: Running | undefined
  #has_timer = false

  constructor(client: Client) {
    this.client = client
    // pg's types leave the connection out.
    this.#stream = (client as unknown as { connection: { stream: Socket } }).connection.stream
    this.#stream.prependListener('data', (chunk: Buffer) => this.#count(chunk.byteLength))
  }

  /** After an error that is not Postgres's answer, the connection must be closed. */
  read(statement: Statement, limits: GatewayLimits, is_ours: boolean): Promise<Answer> {
    return new Promise((resolve, reject) => {
      // Postgres enforces statement_timeout itself, unless its process is frozen.
      const limit_ms = limits.statement_timeout_ms + ANSWER_LIMIT_MS
      const running = {
        until_ms: performance.now() + limit_ms,
        bytes_max: limits.response_bytes_max,
        received_bytes: 0,
        reject,
      }
      this.#running = running
      if (!this.#has_timer) this.#watch(limit_ms)
      const rows: (readonly (string | null)[])[] = []
      let fields: readonly Field[] = []
      let byte_count = 0
      const query = readOnlyQuery({
        ...statement,
        timeout_ms: limits.statement_timeout_ms,
        is_ours,
        onFields: (described) => (fields = described),
        onRow(row) {
          rows.push(row)
          for (const value of row) byte_count += value === null ? 0 : Buffer.byteLength(value)
          if (rows.length > limits.row_count_max) reject(tooLarge(`${limits.row_count_max} rows`))
          if (byte_count > running.bytes_max) reject(tooLarge(`${running.bytes_max} bytes`))
        },
        onError: (error) => {
          this.#running = undefined
          reject(error as Error)
        },
        onEnd: (command) => {
          this.#running = undefined
          resolve({ command, rowCount: rows.length, rowAsArray: true, rows, fields })
        },
      })
      this.client.query(query)
    })
  }

  /** The driver buffers a value until it is complete; one of 512 MB would crash this process. */
  #count(byte_count: number): void {
    const running = this.#running
    if (running === undefined) return
    running.received_bytes += byte_count
    if (running.received_bytes <= running.bytes_max * 2 + PROTOCOL_BYTES) return
    running.reject(tooLarge(`${running.bytes_max} bytes`))
    this.#stream.destroy()
  }

  /** One timer at a time: when it fires, later statements have moved its time on. */
  #watch(limit_ms: number): void {
    this.#has_timer = true
    setTimeout(() => {
      this.#has_timer = false
      if (this.#running === undefined) return
      const left_ms = this.#running.until_ms - performance.now()
      if (left_ms > 0) this.#watch(left_ms)
      else this.#running.reject(unreachable(new Error('Postgres did not answer in time.')))
    }, limit_ms).unref()
  }
}

function tooLarge(what: string): OperatorError {
  return new OperatorError('answer_too_large', `The answer has more than ${what}.`)
}
