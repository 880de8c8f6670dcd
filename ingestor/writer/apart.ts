/**
 * Stores many records in one statement. If Postgres refuses a record, finds it by halving the list,
 * stores all the others, and returns the refused record with the reason.
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

/** Runs inside the open transaction of `client`. `store` is one statement. */
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
