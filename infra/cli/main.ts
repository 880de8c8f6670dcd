/** The command line: `npx booktape ...`, `npm start`, `npm run replay`. */
import { Command } from 'commander'
import { describeError } from '#core/errors.ts'
import { exitCodeOf, withExitCodes } from './exit-codes.ts'
import type * as IngestorCommands from './ingestor/commands.ts'

/** Each command loads its code on use: `tape ls` need not spend a second on an S3 client. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  start: async () => (await import('./start.ts')).startCommand(),
  replay: async () => (await import('./replay.ts')).replayCommand(),
  jobs: async () => (await import('./jobs.ts')).jobsCommand(),
  doctor: async () => (await import('./doctor.ts')).doctorCommand(),
  'db-stats': async () => (await import('./db-stats.ts')).dbStatsCommand(),
  validate: async () => (await import('./validate.ts')).validateCommand(),
  tape: async () => (await import('./tape.ts')).tapeCommand(),
  live: async () => (await import('./live.ts')).liveCommand(),
  token: async () => (await import('./token.ts')).tokenCommand(),
  retire: async () => (await import('./retire.ts')).retireCommand(),
  handover: async () => (await import('./handover.ts')).handoverCommand(),
  size: async () => (await import('./size.ts')).sizeCommand(),
  deploy: async () => (await import('./deploy.ts')).deployCommand(),
  bundle: async () => (await import('./bundle.ts')).bundleCommand(),
  activate: async () => (await import('./activate.ts')).activateCommand(),
  supervise: async () => (await import('./supervise.ts')).superviseCommand(),
  migrate: async () => (await import('./migrate.ts')).migrateCommand(),
  import: async () => (await import('./import.ts')).importCommand(),
  imports: async () => (await import('./imports.ts')).importsCommand(),
  lake: async () => (await import('./lake.ts')).lakeCommand(),
  backup: async () => (await import('./backup.ts')).backupCommand(),
  restore: async () => (await import('./restore.ts')).restoreCommand(),
  status: () => ingestorCommand('statusCommand'),
  summary: () => ingestorCommand('summaryCommand'),
  streams: () => ingestorCommand('streamsCommand'),
  pause: () => ingestorCommand('pauseCommand'),
  stop: () => ingestorCommand('stopCommand'),
  resume: () => ingestorCommand('resumeCommand'),
  scale: () => ingestorCommand('scaleCommand'),
  symbols: () => ingestorCommand('symbolsCommand'),
  channels: () => ingestorCommand('channelsCommand'),
  depth: () => ingestorCommand('depthCommand'),
  audit: () => ingestorCommand('auditCommand'),
  reset: () => ingestorCommand('resetCommand'),
  monitor: async () => (await import('./ingestor/monitor.ts')).monitorCommand(),
}

type IngestorCommand = Extract<keyof typeof IngestorCommands, `${string}Command`>

const program = new Command('booktape').description('A tape recorder for markets.')
const asked = process.argv[2] ?? ''
for (const name of Object.hasOwn(COMMANDS, asked) ? [asked] : Object.keys(COMMANDS)) {
  program.addCommand(await COMMANDS[name]!())
}
withExitCodes(program)

try {
  await program.parseAsync()
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`)
  process.exitCode = exitCodeOf(error)
}

async function ingestorCommand(name: IngestorCommand): Promise<Command> {
  return (await import('./ingestor/commands.ts'))[name]()
}
