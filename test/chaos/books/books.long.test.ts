/** The short form of `npm run soak:books`, with few books so that the weight limit is no delay. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createTestDatabase } from '../../support/database.ts'
import { checkBooks } from './check.ts'
import { runBooks } from './run.ts'

test('10 books through dropped, duplicate, late and corrupt diffs and a kill -9: every break in the ledger, every book correct, no limit exceeded', async () => {
  const { url, pool } = await createTestDatabase()
  const dir = mkdtempSync(join(tmpdir(), 'booktape-books-'))
  try {
    const report = await runBooks({
      database_url: url,
      dir,
      seed: 3,
      symbol_count: 10,
      events_per_s: 1_000,
      fault_ms: 12_000,
      drop_share: 0.01,
      snapshot_s: 4,
    })
    expect(report.complaints, report.examples.join('\n')).toEqual([])
    expect(report.books_lost).toBeGreaterThan(3)
    expect(report.ledgered).toBeGreaterThan(10)
    expect(report.snapshots_compared).toBeGreaterThan(5)
    expect(report.quotes_compared).toBeGreaterThan(100)
    expect(report.served).toBeGreaterThan(10)

    // The check itself finds data corrupted afterwards.
    await pool.query(`update marketdata.depth_events set bids = bids || asks[1:1]
      where depth_kind = 'diff' and array_length(asks, 1) > 0 and asks[1][2] > 0 and final_update_id % 50 = 0`)
    await pool.query('delete from marketdata.gaps')
    const corrupted = await checkBooks(pool, () => 0.5)
    for (const name of ['unledgered', 'wrong', 'crossed'] as const)
      expect(corrupted[name], name).toBeGreaterThan(0)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})
