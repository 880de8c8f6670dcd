/** `npm run chaos -- --minutes 10 --seed 7`: one line of JSON, and exit code 1 on any complaint. */
import { randomInt } from 'node:crypto'
import { Command, InvalidArgumentError } from 'commander'
import { wholeNumber } from '../../infra/cli/options.ts'
import { runChaos } from './run.ts'

interface Flags {
  readonly minutes: number
  readonly seed: number
  readonly symbols: number
  readonly eventsPerS: number
  readonly load?: true
  readonly steer?: true
  readonly keep?: true
}

const SEED_MAX = 2 ** 32

await new Command('chaos')
  .description(
    'break everything at random under load, and compare what was sent with what is stored',
  )
  .option('--minutes <minutes>', 'duration of the faults', parseMinutes, 5)
  .option(
    '--seed <seed>',
    'the same seed plans the same faults',
    wholeNumber(0, SEED_MAX),
    randomInt(SEED_MAX),
  )
  .option('--symbols <count>', 'symbols of the simulated exchange', wholeNumber(1, 200), 200)
  .option(
    '--events-per-s <rate>',
    'frames per second over all symbols',
    wholeNumber(10, 100_000),
    6_000,
  )
  .option('--load', 'keep every core, the memory and the disk busy')
  .option('--steer', 'an operator scales and pauses during the run')
  .option('--keep', 'keep the files of a run that fails')
  .action(async (flags: Flags) => {
    const { seed, symbols: symbol_count, eventsPerS: events_per_s } = flags
    process.stderr.write(`Seed ${seed}.\n`)
    const started = performance.now()
    // process.exit runs the exit handlers, which stop the started processes.
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => process.exit(1))
    const report = await runChaos({
      seed,
      run_ms: Math.round(flags.minutes * 60_000),
      symbol_count,
      events_per_s,
      load: flags.load ?? false,
      is_steered: flags.steer ?? false,
      keep_files: flags.keep ?? false,
      onProgress: (what) => {
        process.stderr.write(`${((performance.now() - started) / 1_000).toFixed(1)} s: ${what}\n`)
      },
    })
    process.stdout.write(`${JSON.stringify(report)}\n`)
    process.exitCode = report.complaints.length === 0 ? 0 : 1
  })
  .parseAsync()

function parseMinutes(text: string): number {
  const minutes = Number(text)
  if (!/^\d+(\.\d+)?$/.test(text) || minutes < 0.1 || minutes > 1_440) {
    throw new InvalidArgumentError('Expected minutes from 0.1 to 1440.')
  }
  return minutes
}
