/** A short form of `npm run chaos:upgrades`, without the channel whose streams may be quiet. */
import { expect, test } from 'vitest'
import { runUpgrades } from './run.ts'

test('an ingestor is replaced and comes back without a gap or a duplicate', async () => {
  const report = await runUpgrades({
    seed: 4_711,
    upgrade_count: 2,
    symbol_count: 12,
    events_per_s: 400,
    channels: ['book_ticker', 'trades', 'depth_events', 'mark_price'],
    keep_files: false,
  })
  expect(report.complaints, report.examples.join('\n')).toEqual([])
  expect(report.stored).toBe(report.sent)
  expect(report.stored).toBeGreaterThan(1_000)
})
