/** `npx booktape activate RELEASE`: the part of a deploy that runs on the machine itself. */
import { Command, Option } from 'commander'
import { activate } from '../deploy/machine/activate.ts'
import { createRunner } from '../deploy/machine/commands.ts'
import { type Init, layoutOf } from '../deploy/machine/layout.ts'
import { releaseDir } from '../deploy/machine/releases.ts'
import { supervisorManager } from '../deploy/machine/supervisor-client.ts'
import { systemdManager } from '../deploy/machine/systemd.ts'
import { openAdminApi } from './ingestor/client.ts'
import { wholeNumber } from './options.ts'

interface Flags {
  readonly root: string
  readonly init: Init
  readonly name?: string
  readonly patience: number
}

const USER = 'booktape'

export function activateCommand(): Command {
  return new Command('activate')
    .description('make a release that is on this machine the one that runs (deploy does this)')
    .argument('<release>', 'its folder in opt/booktape/releases')
    .option('--root <dir>', 'the folder of the installation', '/')
    .addOption(
      new Option('--init <init>', 'what starts the programs')
        .choices(['systemd', 'none'])
        .default('systemd'),
    )
    .option('--name <name>', 'of this machine, in the ids of its ingestors; default: as before')
    .option(
      '--patience <seconds>',
      'how long a new ingestor may take until it records everything',
      wholeNumber(10, 86_400),
      600,
    )
    .action(async (release: string, { root, init, name, patience }: Flags) => {
      // It runs to its end even if the ssh connection breaks.
      for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
      for (const signal of ['SIGHUP', 'SIGPIPE'] as const) process.on(signal, () => undefined)
      const say = (line: string): void => void process.stdout.write(`${line}\n`)
      const layout = layoutOf(root, init)
      const manager =
        init === 'systemd'
          ? systemdManager()
          : await supervisorManager(layout, releaseDir(layout, release))
      await activate({
        layout,
        release,
        name,
        manager,
        run: createRunner(layout.root === '/' ? USER : undefined, say),
        openApi: (server) => openAdminApi({ server, dataDir: '' }),
        patience_ms: patience * 1_000,
        say,
      })
      // Nothing is left to wait for; the supervisor is another process.
      process.exit()
    })
}
