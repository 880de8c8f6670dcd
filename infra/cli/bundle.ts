/** `npx booktape bundle`: what `deploy` sends, as a file, for cloud-init. */
import { Command, Option } from 'commander'
import { writeBundle } from '../deploy/bundle.ts'

export function bundleCommand(): Command {
  return new Command('bundle')
    .description(
      'write the release and its dependencies to a file; its install.sh sets up a machine',
    )
    .option('--out <file>', 'the archive', 'booktape-bundle.tar')
    .addOption(new Option('--cpu <cpu>', 'of the machine').choices(['x64', 'arm64']).default('x64'))
    .allowExcessArguments(false)
    .action(async ({ out, cpu }: { readonly out: string; readonly cpu: string }) => {
      const release = await writeBundle(out, cpu)
      process.stdout.write(`${out} has release ${release} for linux-${cpu}.\n`)
    })
}
