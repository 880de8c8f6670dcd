/** `npm run chaos:scale`: one line of JSON, and exit code 1 on any complaint. */
import { randomInt } from 'node:crypto'
import { Command } from 'commander'
import { wholeNumber } from '../../../infra/cli/options.ts'
import { runScale } from './run.ts'

interface Flags {
  readonly seed: number
  readonly eventsPerS: number
  readonly holdS: number
  readonly rounds: number
}

const SEED_MAX = 2 ** 32

await new Command('chaos:scale')
  .description('scale an ingestor 3 → 50 → 200 → 3 symbols in full flow, and compare every frame')
  .option('--seed <seed>', 'of the market', wholeNumber(0, SEED_MAX), randomInt(SEED_MAX))
  .option(
    '--events-per-s <rate>',
    'frames per second of 200 symbols',
    wholeNumber(10, 100_000),
    6_000,
  )
  .option('--hold-s <seconds>', 'between two changes', wholeNumber(1, 3_600), 20)
  .option(
    '--rounds <count>',
    'how often the three steps are gone through',
    wholeNumber(1, 1_000),
    2,
  )
  .action(async ({ seed, eventsPerS, holdS, rounds }: Flags) => {
    process.stderr.write(`Seed ${seed}.\n`)
    const started = performance.now()
    // process.exit runs the exit handlers, which stop the started processes.
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => process.exit(1))
    const report = await runScale({
      seed,
      events_per_s: eventsPerS,
      hold_ms: holdS * 1_000,
      rounds,
      onProgress(what) {
        process.stderr.write(`${((performance.now() - started) / 1_000).toFixed(1)} s: ${what}\n`)
      },
    })
    process.stdout.write(`${JSON.stringify(report)}\n`)
    process.exitCode = report.complaints.length === 0 ? 0 : 1
  })
  .parseAsync()
