/**
 * `npm run soak:live`: a whole stack at 10,000 events per second, 1,000 readers of trades and
 * quotes of one of its symbols each (some of them of a book instead), readers that freeze,
 * connections that are cut at random, kill -9 of the live server and of the ingestor. In the end
 * every reader's trades must equal the table, none missing, none twice, and rebuilt books those of
 * the tables. Prints one line of JSON; exit code 1 on any difference, and then the programs' logs
 * are kept.
 */
import { Command } from 'commander'
import { wholeNumber } from '../../../infra/cli/options.ts'
import { runSoak, type SoakOptions } from './run.ts'
import { SoakStack } from './soak-stack.ts'

await new Command('soak:live')
  .option('--clients <count>', 'readers of one symbol each', wholeNumber(1, 10_000), 1_000)
  .option('--books <count>', 'of them readers of a book', wholeNumber(0, 1_000), 20)
  .option('--frozen <count>', 'readers that freeze, besides', wholeNumber(0, 1_000), 50)
  .option('--rate <events>', 'events per second', wholeNumber(1, 100_000), 10_000)
  // A minute each, so that both have one of the builds that run every minute.
  .option('--seconds <seconds>', 'undisturbed, and frozen', wholeNumber(1, 3_600), 60)
  .option('--kills <count>', 'of live server and ingestor, each', wholeNumber(0, 100), 2)
  .action(async (flags: SoakOptions & { readonly rate: number }) => {
    const stack = new SoakStack(['--rate', String(flags.rate)])
    let is_good = false
    try {
      await stack.start()
      const report = await runSoak(flags, stack)
      is_good = report.wrong.length === 0
      process.stdout.write(`${JSON.stringify(report)}\n`)
    } finally {
      await stack.stop()
      stack.clear(!is_good)
    }
    process.exit(is_good ? 0 : 1)
  })
  .parseAsync()
