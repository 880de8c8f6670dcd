/** `npm run replay`, `npx booktape replay`. */
import { Command, InvalidArgumentError, Option } from 'commander'
import { launcherOf } from '../local/launcher.ts'
import { parseSpeed } from '../exchange/config.ts'
import { runReplay } from '../local/replay/run-replay.ts'

interface Flags {
  readonly via: 'socket' | 'tape'
  readonly dataDir?: string
  readonly speed: string
  readonly exportDir?: string
  readonly keep?: true
}

export function replayCommand(): Command {
  return new Command('replay')
    .description('play recordings through the whole pipeline and publish their days as datasets')
    .argument('<files...>', 'recordings (NDJSON, gzip or plain), played one after another')
    .addOption(
      new Option('--via <way>', 'real sockets, or import onto the tape with the recorded times')
        .choices(['socket', 'tape'])
        .default('socket'),
    )
    .option('--data-dir <dir>', 'where to keep the data (default: a temporary folder)')
    .option(
      '--speed <speed>',
      'max, real, or a multiple such as 10x (sockets only)',
      checkSpeed,
      'max',
    )
    .option('--export-dir <dir>', 'copy the dataset files into this folder')
    .option('--keep', 'keep the temporary folder')
    .action(async (files: readonly string[], flags: Flags) => {
      process.exitCode = await runReplay({
        files,
        via: flags.via,
        data_dir: flags.dataDir,
        speed: flags.speed,
        export_dir: flags.exportDir,
        keep: flags.keep ?? false,
        launcher: launcherOf(process.env, process.ppid),
      })
    })
}

function checkSpeed(text: string): string {
  if (parseSpeed(text) !== undefined) return text
  throw new InvalidArgumentError('Expected max, real, or a multiple such as 10x.')
}
