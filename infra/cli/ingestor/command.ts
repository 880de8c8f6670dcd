/** Options and exit codes of the commands that talk to an ingestor. */
import { Command, type CommanderError } from 'commander'
import type { StatusView } from '../../../ingestor/control/view.ts'
import { isFailing } from '../../../ingestor/status.ts'
import type { ServerFlags } from './client.ts'

export interface Flags extends ServerFlags {
  readonly json?: true
}

export interface ChangeFlags extends Flags {
  readonly dryRun?: true
  readonly ifMatch?: string
}

const EXIT_FAILING = 1
const EXIT_WRONG_USE = 2
const EXIT_CODES = '\nExit code: 0 fine, 1 refused or failing, 2 wrong use, 3 no ingestor answers.'

export function command(name: string, description: string): Command {
  return withServerOptions(new Command(name).description(description))
    .option(
      '--data-dir <dir>',
      'the local stack whose ingestor is meant, where no server is named',
      '.data',
    )
    .addHelpText('after', EXIT_CODES)
    .allowExcessArguments(false)
    .exitOverride(exitWithOurCode)
}

export function changeCommand(name: string, description: string): Command {
  return withChangeOptions(command(name, description))
}

export function withChangeOptions(one: Command): Command {
  return one
    .option('--dry-run', 'only say what it would do')
    .option('--if-match <etag>', 'only while the state has this ETag (`status --json` has it)')
}

export function withServerOptions(one: Command): Command {
  return one
    .option('--server <where>', 'URL of its admin API, or path of its socket (BOOKTAPE_SERVER)')
    .option('--token <token>', 'where it is a URL (BOOKTAPE_TOKEN)')
    .option('--json', 'print the answer of the API as it is')
}

/** Commander exits with 1 for every error; wrong use is 2 here, and --help is 0. */
export function exitWithOurCode({ exitCode }: CommanderError): never {
  process.exit(exitCode === 0 ? 0 : EXIT_WRONG_USE)
}

export function exitCodeOf({ state }: Pick<StatusView, 'state'>): number {
  return state !== 'starting' && isFailing(state) ? EXIT_FAILING : 0
}

export function print({ json }: Flags, answer: unknown, text: string): void {
  process.stdout.write(json === true ? `${JSON.stringify(answer)}\n` : text)
}
