/** How backups are made: how many are kept, and what they are encrypted with. */
import { z } from 'zod'
import { type Env, readEnvironment, whole } from '#core/environment.ts'
import { OperatorError } from '#core/errors.ts'
import { readKeyFile, SECRET_BYTES_MIN } from './secret.ts'

export interface BackupSettings {
  /** Full backups that are kept; 0: the daemon makes none. */
  readonly keep_count: number
  readonly key_file: string | undefined
  readonly passphrase: string | undefined
}

/** Variables of the daemon's environment. */
export const BACKUP_VARIABLES = {
  BACKUP_KEEP: whole({ min: 0, max: 1_000, standard: 14, what: 'a whole number' }),
  BACKUP_KEY_FILE: z.string().default(''),
  BACKUP_PASSPHRASE: z
    .string()
    .default('')
    .refine((text) => text === '' || Buffer.byteLength(text) >= SECRET_BYTES_MIN, {
      error: `must have at least ${SECRET_BYTES_MIN} bytes`,
    }),
}

const Variables = z.object(BACKUP_VARIABLES)

/** The settings that a manual run needs from the daemon's environment. */
export function parseBackupSettings(env: Env): BackupSettings {
  const hint = 'Set them in the environment.'
  return backupSettings(readEnvironment(Variables, env, 'Settings of backups', hint))
}

export function backupSettings(read: z.output<typeof Variables>): BackupSettings {
  return Object.freeze({
    keep_count: read.BACKUP_KEEP,
    key_file: read.BACKUP_KEY_FILE === '' ? undefined : read.BACKUP_KEY_FILE,
    passphrase: read.BACKUP_PASSPHRASE === '' ? undefined : read.BACKUP_PASSPHRASE,
  })
}

/** What to encrypt with; undefined: nothing. Throws `bad_backup_key`. */
export function secretOf({ key_file, passphrase }: BackupSettings): Buffer | undefined {
  if (key_file !== undefined && passphrase !== undefined) {
    throw new OperatorError(
      'bad_backup_key',
      'Both BACKUP_KEY_FILE and BACKUP_PASSPHRASE are set.',
      { hint: 'Set one of them.' },
    )
  }
  if (key_file !== undefined) return readKeyFile(key_file)
  return passphrase === undefined ? undefined : Buffer.from(passphrase)
}
