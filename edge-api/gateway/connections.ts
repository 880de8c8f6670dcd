/**
 * The gateway's connections. pg's pool opens, limits and closes them; what waits for its next
 * statement is kept here, because a checkout and a return there cost two timers and several events
 * each time.
 */
import { DatabaseError } from 'pg'
import { OperatorError } from '#core/errors.ts'
import { createPool, type Client, type Pool } from '#core/node/pool.ts'
import { ANSWER_LIMIT_MS, Connection, unreachable } from './connection.ts'

/** A connection that no statement needed for so long is closed. */
const KEPT_MS = 10_000

export class Connections {
  readonly #pool: Pool
  /** The last one was used last. */
  readonly #kept: Connection[] = []
  readonly #known = new WeakMap<Client, Connection>()
  readonly #sweep: NodeJS.Timeout
  /** The fewest that were kept since the last sweep: so many of the first were not needed. */
  #unused_count = 0

  constructor(database_url: string, max: number, kept_ms = KEPT_MS) {
    // A pooler in transaction mode may be in between.
    this.#pool = createPool(database_url, 'booktape-gateway', max, ANSWER_LIMIT_MS, 'shared')
    this.#sweep = setInterval(() => {
      for (const { client } of this.#kept.splice(0, this.#unused_count)) client.release(true)
      this.#unused_count = this.#kept.length
    }, kept_ms).unref()
  }

  get counts(): { readonly busy: number; readonly idle: number; readonly waiting: number } {
    const { totalCount, idleCount, waitingCount } = this.#pool
    const idle = idleCount + this.#kept.length
    return { busy: totalCount - idle, idle, waiting: waitingCount }
  }

  /** Whoever takes one gives it back or closes it. Throws if none is free within a second. */
  async take(): Promise<Connection> {
    const kept = this.#kept.pop()
    if (kept === undefined) return this.#checkOut()
    this.#unused_count = Math.min(this.#unused_count, this.#kept.length)
    return kept
  }

  giveBack(connection: Connection): void {
    connection.was_kept = true
    // The pool hands it to whoever waits there.
    if (this.#pool.waitingCount > 0 || this.#pool.ending) connection.client.release()
    else this.#kept.push(connection)
  }

  /** Once Postgres is silent on one of them: the others may lead to the same dead machine. */
  closeKept(): void {
    for (const { client } of this.#kept.splice(0)) client.release(true)
  }

  async end(): Promise<void> {
    clearInterval(this.#sweep)
    this.closeKept()
    await this.#pool.end()
  }

  async #checkOut(): Promise<Connection> {
    try {
      return this.#connectionOf(await this.#pool.connect())
    } catch (cause) {
      throw isRefused(cause)
        ? new OperatorError('database_refused', 'Postgres refused this login or database.', {
            cause,
          })
        : unreachable(cause)
    }
  }

  #connectionOf(client: Client): Connection {
    const known = this.#known.get(client)
    if (known !== undefined) return known
    const connection = new Connection(client)
    this.#known.set(client, connection)
    client.once('end', () => {
      const i = this.#kept.indexOf(connection)
      if (i >= 0) this.#kept.splice(i, 1)[0]!.client.release()
    })
    return connection
  }
}

/** A wrong password, role or database: retrying does not help. */
function isRefused(error: unknown): boolean {
  return error instanceof DatabaseError && /^(?:28|3D)/.test(error.code ?? '')
}
