/** `npx booktape supervise`: keeps the programs of a deploy running where there is no systemd. */
import { Command } from 'commander'
import { createLogger } from '#core/node/log.ts'
import { onShutdown } from '#core/node/shutdown.ts'
import { layoutOf } from '../deploy/machine/layout.ts'
import { startSupervisor } from '../deploy/machine/supervisor.ts'

/** The programs have 45 s each, at the same time. */
const STOP_LIMIT_MS = 60_000

export function superviseCommand(): Command {
  return new Command('supervise')
    .description(
      'keep the programs of `deploy --init none` running; their log files are in var/log',
    )
    .option('--root <dir>', 'the folder of the installation', '/')
    .allowExcessArguments(false)
    .action(async ({ root }: { readonly root: string }) => {
      const log = createLogger('supervisor')
      const supervisor = await startSupervisor(layoutOf(root, 'none'))
      onShutdown(log, () => supervisor.stop(), STOP_LIMIT_MS)
      log.info({ root }, 'The supervisor runs.')
    })
}
