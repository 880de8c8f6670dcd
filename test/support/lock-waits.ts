/** Detects that a statement waits for a lock, so that tests need no sleep. */
import { expect } from 'vitest'
import type { Pool } from '#core/node/pool.ts'

/** Waits until another session blocks a session of this database. */
export async function untilBlocked(pool: Pool): Promise<void> {
  await expect.poll(() => blockedCount(pool)).toBeGreaterThan(0)
}

async function blockedCount(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    `select count(*)::int as count from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`,
  )
  return rows[0]!.count
}
