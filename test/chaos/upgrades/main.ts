/** `npm run chaos:upgrades -- --count 20`: one line of JSON, and exit code 1 on any complaint. */
import { randomInt } from 'node:crypto'
import { Command } from 'commander'
import { wholeNumber } from '../../../infra/cli/options.ts'
import { runUpgrades } from './run.ts'

interface Flags {
  readonly count: number
  readonly seed: number
  readonly symbols: number
  readonly eventsPerS: number
  readonly keep?: true
}

const SEED_MAX = 2 ** 32

await new Command('chaos:upgrades')
  .description('replace a running ingestor again and again under load; nothing may be missing')
  .option('--count <upgrades>', 'upgrades in a row', wholeNumber(1, 1_000), 20)
  .option('--seed <seed>', 'of the simulated market', wholeNumber(0, SEED_MAX), randomInt(SEED_MAX))
  .option('--symbols <count>', 'symbols of the simulated exchange', wholeNumber(1, 200), 200)
  .option('--events-per-s <rate>', 'frames per second', wholeNumber(10, 100_000), 6_000)
  .option('--keep', 'keep the files of a run that fails')
  .action(async (flags: Flags) => {
    const started = performance.now()
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => process.exit(1))
    const report = await runUpgrades({
      seed: flags.seed,
      upgrade_count: flags.count,
      symbol_count: flags.symbols,
      events_per_s: flags.eventsPerS,
      keep_files: flags.keep ?? false,
      onProgress: (what) => {
        process.stderr.write(`${((performance.now() - started) / 1_000).toFixed(1)} s: ${what}\n`)
      },
    })
    process.stdout.write(`${JSON.stringify(report)}\n`)
    process.exitCode = report.complaints.length === 0 ? 0 : 1
  })
  .parseAsync()
