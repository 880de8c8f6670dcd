/** With a real pgbouncer, if the machine has one. */
import { describe, expect, test } from 'vitest'
import { createPool } from '#core/node/pool.ts'
import { requireSession } from '#core/node/session-check.ts'
import { createTestDatabase } from '../../support/database.ts'
import { CONNECT_LIMIT_MS } from '../../support/patience.ts'
import { has_pgbouncer, startPgbouncer } from '../../support/pgbouncer.ts'

const { pool, url } = await createTestDatabase()

test('a direct connection to Postgres is accepted', async () => {
  expect(await requireSession(pool)).toBeUndefined()
})

describe.skipIf(!has_pgbouncer)('pgbouncer (skipped if not installed)', () => {
  test('session mode is accepted', async () => {
    const through = createPool(await startPgbouncer(url, 'session'), 'test', 1, CONNECT_LIMIT_MS)
    try {
      expect(await requireSession(through)).toBeUndefined()
    } finally {
      await through.end()
    }
  })

  test('transaction mode is refused; programs that only read may use it, in UTC', async () => {
    const through = createPool(
      await startPgbouncer(url, 'transaction'),
      'test',
      2,
      CONNECT_LIMIT_MS,
    )
    try {
      await expect(requireSession(through)).rejects.toMatchObject({ code: 'transaction_pooler' })
      const { rows } = await through.query('show timezone')
      expect(rows).toEqual([{ TimeZone: 'UTC' }])
    } finally {
      await through.end()
    }
  })
})
