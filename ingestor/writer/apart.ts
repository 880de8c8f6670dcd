/**
 * Stores many records in one statement, and where Postgres refuses that, all but those it refuses:
 * these are found by halving and handed back with the reason, so none of them stops the others.
 */
import type { Client } from '#core/node/pool.ts'
import { troubleOf } from './database-errors.ts'

export interface Refused<T> {
  readonly item: T
  readonly cause: unknown
}

export interface StoredApart<T> {
  /** Sum of what `store` returned. */
  readonly stored: number
  readonly refused: readonly Refused<T>[]
}

/** Inside the transaction that `client` is in; `store` is one statement. */
export async function storeApart<T>(
  client: Client,
  items: readonly T[],
  store: (part: readonly T[]) => Promise<number>,
): Promise<StoredApart<T>> {
  const refused: Refused<T>[] = []
  const storePart = async (part: readonly T[]): Promise<number> => {
    if (part.length === 0) return 0
    await client.query('savepoint apart')
    try {
      const stored = await store(part)
      await client.query('release savepoint apart')
      return stored
    } catch (cause) {
      if (troubleOf(cause) !== 'bad_row') throw cause
      await client.query('rollback to savepoint apart; release savepoint apart')
      if (part.length === 1) {
        refused.push({ item: part[0]!, cause })
        return 0
      }
    }
    const middle = part.length >>> 1
    return (await storePart(part.slice(0, middle))) + (await storePart(part.slice(middle)))
  }
  return { stored: await storePart(items), refused }
}
