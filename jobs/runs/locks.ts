/**
 * Locks of runs. All locks of a pool are held by one of its connections, which also records the
 * runs, so that a run needs no connection of its own for its lock. A lock ends with the session: if
 * the connection breaks, every lock is free until the next statement takes it again.
 */
import { type Client, isStatementError, type Pool } from '#core/node/pool.ts'

export interface Locks {
  /** False if another session, or another run of this pool, holds it. */
  take(names: LockNames): Promise<boolean>
  free(names: LockNames): Promise<void>
  /** Runs a statement on the connection of the locks; once more on a new one if that is broken. */
  query<Row extends object>(text: string, values: readonly unknown[]): Promise<readonly Row[]>
}

/** One or two, as Postgres has two kinds of advisory locks. */
export type LockNames = readonly [string] | readonly [space: string, name: string]

const of_pools = new WeakMap<Pool, Locks>()

export function locksOf(pool: Pool): Locks {
  const known = of_pools.get(pool)
  if (known !== undefined) return known
  const locks = new SharedLocks(pool)
  of_pools.set(pool, locks)
  return locks
}

class SharedLocks implements Locks {
  readonly #pool: Pool
  /** A session may take its own lock twice, so runs of this pool are told apart here. */
  readonly #wanted = new Set<string>()
  readonly #held = new Map<string, LockNames>()
  #client: Client | undefined
  /** One statement after another. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(pool: Pool) {
    this.#pool = pool
  }

  async take(names: LockNames): Promise<boolean> {
    const key = names.join('\n')
    if (this.#wanted.has(key)) return false
    this.#wanted.add(key)
    let is_taken = false
    try {
      const [row] = await this.#inTurn((client) => lock(client, 'try_advisory_lock', names))
      is_taken = row?.is_done === true
      if (is_taken) this.#held.set(key, names)
    } finally {
      if (!is_taken) await this.#drop(key)
    }
    return is_taken
  }

  async free(names: LockNames): Promise<void> {
    // A broken connection has freed its locks already.
    const key = names.join('\n')
    this.#held.delete(key)
    if (this.#client !== undefined) {
      const freed = this.#inTurn((client) => lock(client, 'advisory_unlock', names))
      await freed.catch(() => undefined)
    }
    await this.#drop(key)
  }

  async query<Row extends object>(
    text: string,
    values: readonly unknown[],
  ): Promise<readonly Row[]> {
    const use = (client: Client) => client.query<Row>(text, [...values])
    try {
      return await this.#inTurn(use)
    } catch (error) {
      if (isStatementError(error)) throw error
      // The connection broke, perhaps long ago. The new one takes the locks again.
      return this.#inTurn(use)
    }
  }

  #inTurn<Row extends object>(
    use: (client: Client) => Promise<{ readonly rows: readonly Row[] }>,
  ): Promise<readonly Row[]> {
    const done = this.#turn.then(async () => {
      const client = (this.#client ??= await this.#connect())
      try {
        return (await use(client)).rows
      } catch (error) {
        if (!isStatementError(error)) {
          client.release(true)
          this.#client = undefined
        }
        throw error
      }
    })
    this.#turn = done.catch(() => undefined)
    return done
  }

  async #connect(): Promise<Client> {
    const client = await this.#pool.connect()
    try {
      for (const names of this.#held.values()) await lock(client, 'try_advisory_lock', names)
      return client
    } catch (error) {
      client.release(true)
      throw error
    }
  }

  /** Without a lock to hold, the connection goes back to the pool. */
  async #drop(key: string): Promise<void> {
    this.#wanted.delete(key)
    const done = this.#turn.then(() => {
      if (this.#wanted.size > 0) return
      this.#client?.release()
      this.#client = undefined
    })
    this.#turn = done
    await done
  }
}

function lock(
  client: Client,
  action: 'try_advisory_lock' | 'advisory_unlock',
  names: LockNames,
): Promise<{ readonly rows: readonly { readonly is_done: boolean }[] }> {
  const keys = names.map((_, i) => `hashtext($${i + 1})`).join(', ')
  return client.query<{ is_done: boolean }>(`select pg_${action}(${keys}) as is_done`, [...names])
}
