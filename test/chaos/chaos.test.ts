/** A short form of `npm run chaos`: a fixed seed, every guarantee asserted. */
import { expect, test } from 'vitest'
import { is_long } from '../support/long.ts'
import { planFaults } from './plan.ts'
import { runChaos } from './run.ts'

test('a plan depends only on its seed, uses every kind before any repeats, and leaves no fault on', () => {
  const run_ms = 300_000
  const plan = planFaults(7, run_ms)
  expect(planFaults(7, run_ms)).toEqual(plan)
  expect(planFaults(8, run_ms)).not.toEqual(plan)
  for (const name of [
    'ingestor_kill',
    'postgres_kill',
    'postgres_freeze',
    'tape_full',
    'silence_of_quotes',
    'cut',
  ]) {
    expect(plan.filter((planned) => planned.name === name).length, name).toBeGreaterThan(1)
  }
  expect(plan.filter(({ fault }) => fault.kind === 'operator')).toEqual([])
  const steered = planFaults(7, run_ms, true).map((planned) => planned.name)
  expect(steered).toEqual(
    expect.arrayContaining(['scale', 'scale_and_kill', 'pause', 'pause_and_kill', 'tape_full']),
  )
  for (const { at_ms, fault } of plan) expect(at_ms + fault.away_ms).toBeLessThanOrEqual(run_ms)
})

test(`50 symbols${is_long ? ', with busy cores, memory and disk' : ''}, and processes killed, frozen and disconnected: nothing lost, no duplicates, every gap in the ledger and refilled`, async () => {
  const report = await runChaos({
    seed: 7_003,
    run_ms: 8_000,
    symbol_count: 50,
    events_per_s: 1_500,
    // It would slow the tests beside it.
    load: is_long,
    keep_files: false,
  })
  expect(report.complaints, report.examples.join('\n')).toEqual([])
  expect(report.faults.length).toBeGreaterThan(5)
  expect(report.undelivered).toBeGreaterThan(100)
})
