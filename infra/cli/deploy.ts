/** `npx booktape deploy user@host`: sets up a machine, or brings it the next release. */
import { createInterface } from 'node:readline/promises'
import { Command, InvalidArgumentError, Option } from 'commander'
import { describeError, OperatorError } from '#core/errors.ts'
import { deploy } from '../deploy/deploy.ts'
import type { Init } from '../deploy/machine/layout.ts'
import { checkDestination, checkDomain, checkPrefix } from '../deploy/target.ts'
import { wholeNumber } from './options.ts'

interface Flags {
  readonly domain?: string
  readonly settings?: string
  readonly port?: number
  readonly identity?: string
  readonly sshConfig?: string
  readonly prefix: string
  readonly init?: Init
  readonly firewall: boolean
  readonly name?: string
  readonly patience: number
  readonly rollback?: true
  readonly dryRun?: true
  readonly yes?: true
}

export function deployCommand(): Command {
  return new Command('deploy')
    .description('set up a machine over ssh, or upgrade it without a gap; shows its plan and asks')
    .argument('<user@host>', 'as ssh takes it', asArgument(checkDestination))
    .option(
      '--domain <name>',
      'served over HTTPS by Caddy: console, gateway, live',
      asArgument(checkDomain),
    )
    .option(
      '--settings <path>',
      'folder with booktape.env, gateway.env and so on, or the first alone',
    )
    .option('--port <port>', 'of ssh', wholeNumber(1, 65_535))
    .option('--identity <file>', 'private key for ssh')
    .option('--ssh-config <file>', 'configuration file for ssh')
    .option(
      '--prefix <dir>',
      'put everything under this folder there; implies --init none',
      asArgument(checkPrefix),
      '/',
    )
    .addOption(
      new Option('--init <init>', 'what keeps the programs running; default: systemd').choices([
        'systemd',
        'none',
      ]),
    )
    .option('--no-firewall', 'leave the firewall alone')
    .option('--name <name>', 'of the machine, in the ids of its ingestors', asArgument(checkName))
    .option(
      '--patience <seconds>',
      'how long a new ingestor may take',
      wholeNumber(10, 86_400),
      600,
    )
    .option('--rollback', 'go back to the release before')
    .option('--dry-run', 'only show the plan')
    .option('--yes', 'do not ask')
    .action(async (destination: string, flags: Flags) => {
      const { prefix, port, identity, sshConfig: ssh_config } = flags
      const init = flags.init ?? (prefix === '/' ? 'systemd' : 'none')
      if (init === 'systemd' && prefix !== '/') {
        throw new OperatorError('bad_prefix', 'systemd does not read units under a prefix.', {
          hint: 'Leave out --init: our supervisor keeps the programs running there.',
        })
      }
      const has_terminal = process.stdin.isTTY && process.stdout.isTTY
      if (!has_terminal && flags.yes !== true && flags.dryRun !== true) {
        throw new OperatorError('not_confirmed', 'Nobody can confirm the plan here.', {
          hint: 'Look at it with --dry-run, then use --yes.',
        })
      }
      await deploy({
        target: { destination, port, identity, ssh_config },
        prefix,
        init,
        domain: flags.domain,
        has_firewall: flags.firewall,
        settings: flags.settings,
        name: flags.name,
        patience_s: flags.patience,
        is_rollback: flags.rollback === true,
        is_dry_run: flags.dryRun === true,
        is_unattended: !has_terminal,
        say: (line) => void process.stdout.write(`${line}\n`),
        confirm: () => (flags.yes === true ? Promise.resolve(true) : ask()),
      })
    })
}

async function ask(): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  try {
    return /^y(es)?$/i.test((await terminal.question('Do this? [y/N] ')).trim())
  } finally {
    terminal.close()
  }
}

function checkName(text: string): string {
  if (/^[\w-]{1,60}$/.test(text)) return text
  throw new OperatorError('bad_name', 'Expected up to 60 letters, digits, dashes, underscores.')
}

function asArgument(check: (text: string) => string): (text: string) => string {
  return (text) => {
    try {
      return check(text)
    } catch (error) {
      throw new InvalidArgumentError(describeError(error))
    }
  }
}
