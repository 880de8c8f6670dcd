/** A form of `npm run chaos` with many symbols: a fixed seed, every guarantee asserted. */
import { expect, test } from 'vitest'
import { runChaos } from './run.ts'

test('200 symbols at 5,000 events/s with books, marks and liquidations, and processes killed, frozen and disconnected: nothing lost, no duplicates, every gap in the ledger and refilled', async () => {
  const report = await runChaos({
    seed: 259_523,
    run_ms: 10_000,
    symbol_count: 200,
    events_per_s: 6_000,
    load: false,
    keep_files: false,
  })
  expect(report.complaints, report.examples.join('\n')).toEqual([])
  expect(report.events_per_s).toBeGreaterThan(5_000)
  const names = report.faults.map((fault) => fault.name)
  const expected = [
    'ingestor_kill',
    'postgres_kill',
    'postgres_freeze',
    'cut',
    'drop',
    'drop_of_changes',
    'silence',
    'corrupt',
    'duplicate',
  ]
  expect(names).toEqual(expect.arrayContaining(expected))
  expect(report.gaps).toBeGreaterThan(100)
  expect(report.undelivered).toBeGreaterThan(1_000)
})
