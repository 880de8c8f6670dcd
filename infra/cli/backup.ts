/** `npx booktape backup`: backs up what the lake lacks, or lists the backups of the bucket. */
import { Command } from 'commander'
import { silentLogger } from '#core/node/log.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import { completeBackups, type Manifest, readManifest } from '../../jobs/backup/manifest.ts'
import { runBackup } from '../../jobs/backup/run-backup.ts'
import { parseBackupSettings } from '../../jobs/backup/settings.ts'
import { DATA_DIR_OPTION, type Services, withServices } from './services.ts'

interface Flags {
  readonly dataDir: string
}

interface BackupFlags extends Flags {
  readonly stateOnly: boolean
}

export function backupCommand(): Command {
  return new Command('backup')
    .description('back up what the lake lacks to the bucket (BACKUP_*), and read it back')
    .option('--state-only', 'without rows of market data and prices', false)
    .option(...DATA_DIR_OPTION)
    .allowExcessArguments(false)
    .action((flags: BackupFlags) =>
      withServices(flags.dataDir, (services) => backUp(services, flags.stateOnly)),
    )
    .addCommand(
      new Command('ls')
        .description('list the backups of the bucket, newest first')
        .action((_flags: unknown, command: Command) =>
          // The option is that of `backup`, wherever it is given.
          withServices(command.optsWithGlobals<Flags>().dataDir, list, 'any'),
        ),
    )
}

async function backUp(
  { pool, store, work_dir, env }: Services,
  is_state_only: boolean,
): Promise<void> {
  const stopping = new AbortController()
  const stop = (): void => stopping.abort(new Error('Stopped. There is no new backup.'))
  process.once('SIGINT', stop).once('SIGTERM', stop)
  try {
    const settings = parseBackupSettings(env)
    const is_sealed = settings.key_file !== undefined || settings.passphrase !== undefined
    const result = await runBackup({
      pool,
      store,
      work_dir,
      settings,
      kind: is_state_only ? 'state' : 'full',
      log: silentLogger,
      now: Date.now,
      signal: stopping.signal,
    })
    const { id, part_count, row_count, byte_count, expired } = result
    process.stdout.write(
      `${id}: ${part_count} parts, ${row_count} rows, ${byte_count} bytes, ` +
        `${is_sealed ? 'encrypted' : 'not encrypted'}, read back.\n`,
    )
    for (const old of expired) process.stdout.write(`Deleted ${old}.\n`)
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop)
  }
}

async function list({ store }: { readonly store: ObjectStore }): Promise<void> {
  const ids = (await completeBackups(store)).toReversed()
  if (ids.length === 0) process.stdout.write('The bucket has no backup.\n')
  for (const id of ids) process.stdout.write(lineOf((await readManifest(store, id)).manifest))
}

function lineOf({ id, kind, taken_at, encryption, parts }: Manifest): string {
  const rows = parts.reduce((sum, part) => sum + part.row_count, 0)
  const bytes = parts.reduce((sum, part) => sum + part.byte_count, 0)
  const sealed = encryption === null ? '' : ', encrypted'
  return `${id}  ${kind.padEnd(5)}  ${taken_at.slice(0, 19)}Z  ${rows} rows, ${bytes} bytes${sealed}\n`
}
