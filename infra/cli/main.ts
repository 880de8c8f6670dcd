/** The command line: `npx booktape ...`, `npm start`, `npm run replay`. */
import { Command } from 'commander'
import { describeError } from '#core/errors.ts'

/** Each command loads its code on use: `tape ls` need not spend a second on an S3 client. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  start: async () => (await import('./start.ts')).startCommand(),
  replay: async () => (await import('./replay.ts')).replayCommand(),
  jobs: async () => (await import('./jobs.ts')).jobsCommand(),
  validate: async () => (await import('./validate.ts')).validateCommand(),
  tape: async () => (await import('./tape.ts')).tapeCommand(),
  token: async () => (await import('./token.ts')).tokenCommand(),
  retire: async () => (await import('./retire.ts')).retireCommand(),
  migrate: async () => (await import('./migrate.ts')).migrateCommand(),
}

const program = new Command('booktape')
  .description('A tape recorder for markets.')
  .showHelpAfterError('(--help lists the commands and options)')
const asked = process.argv[2] ?? ''
for (const name of Object.hasOwn(COMMANDS, asked) ? [asked] : Object.keys(COMMANDS)) {
  program.addCommand(await COMMANDS[name]!())
}

try {
  await program.parseAsync()
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`)
  process.exitCode = 1
}
