/** Whether a statement waits for another one's lock: a test sees it happen instead of giving it time. */
import { expect } from 'vitest'
import type { Pool } from '#core/node/pool.ts'

/** Waits until a session of this database is held up by another one. */
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
