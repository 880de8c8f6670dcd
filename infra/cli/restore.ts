/** `npx booktape restore`: a backup into an empty database, and hours of the lake. */
import { Command, InvalidArgumentError } from 'commander'
import { type Micros, micros } from '#core/time.ts'
import { parseBackupSettings, secretOf } from '../../jobs/backup/settings.ts'
import { runRestore } from '../../jobs/restore/run-restore.ts'
import { momentArgument } from './rollups.ts'
import { DATA_DIR_OPTION, type Services, withServices } from './services.ts'

interface Flags {
  readonly dataDir: string
  readonly backup?: string
  readonly from?: Micros
  readonly to?: Micros
}

export function restoreCommand(): Command {
  return new Command('restore')
    .description('restore a backup into an empty database (BACKUP_KEY_FILE, BACKUP_PASSPHRASE)')
    .option('--backup <id>', 'its id (default: the newest of the bucket)')
    .option('--from <time>', 'also load the hours of the lake from this time on', momentArgument)
    .option('--to <time>', 'up to this time (default: now)', momentArgument)
    .option(...DATA_DIR_OPTION)
    .allowExcessArguments(false)
    .addHelpText('after', '\nAfter an interruption, run the same command again: it continues.')
    .action(async (flags: Flags) => {
      if (flags.from === undefined && flags.to !== undefined) {
        throw new InvalidArgumentError('--to needs --from.')
      }
      await withServices(flags.dataDir, (services) => restore(services, flags), 'any')
    })
}

async function restore(
  { pool, store, work_dir, env }: Services,
  { backup: backup_id, from, to = micros(Date.now() * 1_000) }: Flags,
): Promise<void> {
  const stopping = new AbortController()
  const stop = (): void =>
    stopping.abort(new Error('Stopped. Run the same command again to go on.'))
  process.once('SIGINT', stop).once('SIGTERM', stop)
  try {
    const result = await runRestore({
      pool,
      store,
      work_dir,
      secret: secretOf(parseBackupSettings(env)),
      backup_id,
      range: from === undefined ? undefined : { from, to },
      onProgress: (sentence) => process.stdout.write(`${sentence}\n`),
      signal: stopping.signal,
    })
    process.stdout.write(
      `Restored ${result.backup_id} of ${result.taken_at}; hours loaded from the lake: ` +
        `${result.hour_count}.\n`,
    )
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop)
  }
}
