/** Options of the commands that talk to an ingestor. */
import { Command } from 'commander'
import type { StatusView } from '../../../ingestor/control/view.ts'
import { isFailing } from '../../../ingestor/status.ts'
import { EXIT_FAILED } from '../exit-codes.ts'
import type { ServerFlags } from './client.ts'

export interface Flags extends ServerFlags {
  readonly json?: true
}

export interface ChangeFlags extends Flags {
  readonly dryRun?: true
  readonly ifMatch?: string
}

export function command(name: string, description: string): Command {
  return withServerOptions(new Command(name).description(description))
    .option(
      '--data-dir <dir>',
      'the local stack whose ingestor is meant, where no server is named',
      '.data',
    )
    .allowExcessArguments(false)
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

export function exitCodeOfState({ state }: Pick<StatusView, 'state'>): number {
  return state !== 'starting' && isFailing(state) ? EXIT_FAILED : 0
}

export function print({ json }: Flags, answer: unknown, text: string): void {
  process.stdout.write(json === true ? `${JSON.stringify(answer)}\n` : text)
}
