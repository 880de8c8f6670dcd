/** The command line: `npx booktape ...`, `npm start`, `npm run replay`. */
import { Command } from 'commander'
import { describeError } from '#core/errors.ts'
import { jobsCommand } from './jobs.ts'
import { replayCommand } from './replay.ts'
import { startCommand } from './start.ts'
import { tapeCommand } from './tape.ts'

const program = new Command('booktape')
  .description('A tape recorder for markets.')
  .showHelpAfterError('(--help shows what there is)')
  .addCommand(startCommand())
  .addCommand(replayCommand())
  .addCommand(jobsCommand())
  .addCommand(tapeCommand())

try {
  await program.parseAsync()
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`)
  process.exitCode = 1
}
