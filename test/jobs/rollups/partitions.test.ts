/** The time span of a rollup's partition. */
import { expect, test } from 'vitest'
import { inTransaction } from '#core/node/pool.ts'
import { createTestDatabase } from '../../support/database.ts'

test('a day, or an hour if the server says so; a day keeps the span that it began with', async () => {
  const { pool } = await createTestDatabase()
  const ensure = async (span: '' | 'hour', ...times: readonly string[]): Promise<void> => {
    for (const time of times) {
      await inTransaction(pool, async (client) => {
        await client.query("select set_config('booktape.rollup_partition', $1, true)", [span])
        await client.query("select marketdata.ensure_day('bt_1s', $1)", [time])
      })
    }
  }
  await ensure('', '2026-03-01T23:59:59Z')
  await ensure('hour', '2026-03-01T12:00:00Z', '2026-03-02T12:30:00Z', '2026-03-02T12:59:59Z')
  await ensure('', '2026-03-02T13:00:00Z', '2026-03-03T13:00:00Z')
  const { rows } = await pool.query<{ name: string }>(
    "select inhrelid::regclass::text as name from pg_inherits where inhparent = 'marketdata.bt_1s'::regclass order by 1",
  )
  expect(rows.map(({ name }) => name)).toEqual([
    'marketdata.bt_1s_20260301',
    'marketdata.bt_1s_2026030212',
    'marketdata.bt_1s_2026030213',
    'marketdata.bt_1s_20260303',
  ])
})
