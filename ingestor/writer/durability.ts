/**
 * What of the committed survives a crash of Postgres. Commits are asynchronous, since the tape is
 * behind them: Postgres may forget the last ones, and the tape writes them again. A commit that
 * waits for the disk (and for replicas, where `synchronous_standby_names` names some) also waits
 * for all before it, because Postgres writes its log in order. Such a commit is made when it is
 * asked for, which is before a segment of the tape is deleted.
 */
import type { Client } from '#core/node/pool.ts'

export class Durability {
  #is_wanted = false
  #position = 0

  /** Everything before it is committed and on Postgres' disk. */
  get position(): number {
    return this.#position
  }

  get is_wanted(): boolean {
    return this.#is_wanted
  }

  /** The next commit is to wait for the disk; one is made where there is nothing to commit. */
  want(): void {
    this.#is_wanted = true
  }

  /** A commit up to this position has waited for the disk. */
  prove(position: number): void {
    this.#is_wanted = false
    this.#position = position
  }

  /** The database has no more than this: it was replaced by an older copy of itself. */
  fallBack(position: number): void {
    this.#position = Math.min(this.#position, position)
  }
}

/** A commit without rows that waits for the disk. `client` must not be in a transaction. */
export async function commitDurably(client: Client, ingestor_id: string): Promise<void> {
  await client.query('begin; set local synchronous_commit = on')
  await client.query(
    'update marketdata.tape_positions set updated_at = now() where ingestor_id = $1',
    [ingestor_id],
  )
  await client.query('commit')
}
