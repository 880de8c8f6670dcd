/** The manifest of a backup: what it holds, and how to tell that nothing of it has changed. */
import { OperatorError } from '#core/errors.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import { BACKUPS_PREFIX, backupManifestKey, parseBackupKey } from '#core/object-keys.ts'
import type { Checksums } from '../columns/checksum.ts'
import type { BackupKeys, Encryption } from './secret.ts'

/** A build reads its own format and older ones. */
export const BACKUP_FORMAT = 1

export interface BackupPart {
  readonly table_name: string
  /** Rows of a table of the lake are split by hour, ISO; null for other tables. */
  readonly hour: string | null
  /** The backup that wrote the object: this one, or the full one before it. */
  readonly backup_id: string
  readonly object_key: string
  readonly byte_count: number
  /** Of the object, as stored. */
  readonly sha256: string
  readonly columns: readonly string[]
  readonly row_count: number
  /** Per column. Of lake tables: see columns/checksum.ts; of others: see state-tables.ts. */
  readonly checksums: Checksums
}

export interface Manifest {
  readonly format: number
  readonly id: string
  /** full: everything that the lake lacks. state: without rows of market data. */
  readonly kind: BackupKind
  /** Time of the snapshot, ISO. */
  readonly taken_at: string
  /** The schema of the snapshot. */
  readonly migrations: readonly { readonly name: string; readonly sha256: string }[]
  readonly encryption: Encryption | null
  readonly parts: readonly BackupPart[]
}

export type BackupKind = 'full' | 'state'

/** The manifest as an object of the store: its text, signed if the backup is encrypted. */
interface SignedManifest {
  readonly manifest: Manifest
  /** Null if the backup is not encrypted. */
  readonly signature: string | null
}

export async function writeManifest(
  store: ObjectStore,
  manifest: Manifest,
  keys: BackupKeys | undefined,
): Promise<void> {
  const signature = keys?.sign(JSON.stringify(manifest)) ?? null
  const text = `${JSON.stringify({ manifest, signature } satisfies SignedManifest, null, 2)}\n`
  const object_key = backupManifestKey(manifest.id)
  await store.put(object_key, text, 'application/json')
  const found = await store.get(object_key)
  if (found === undefined || Buffer.from(found).toString('utf8') !== text) {
    await store.delete(object_key).catch(() => undefined)
    throw new OperatorError('backup_differs', `${object_key} was read back with other bytes.`, {
      hint: 'Check the object store, then run the backup again.',
      retryable: true,
    })
  }
}

export interface StoredManifest extends SignedManifest {
  /** Throws `backup_damaged` unless the holder of these keys wrote it. */
  verify(keys: BackupKeys): void
}

/** Throws `no_backup` if there is none, and `backup_too_new` if a newer build wrote it. */
export async function readManifest(store: ObjectStore, id: string): Promise<StoredManifest> {
  const object_key = backupManifestKey(id)
  const bytes = await store.get(object_key)
  if (bytes === undefined) {
    throw new OperatorError('no_backup', `There is no backup ${id}: ${object_key} is missing.`, {
      hint: '`npx booktape backup ls` lists the backups of the bucket.',
    })
  }
  const stored = parse(object_key, bytes)
  const { format } = stored.manifest
  if (format > BACKUP_FORMAT) {
    const message = `The backup ${id} has format ${format}, and this build reads up to ${BACKUP_FORMAT}.`
    throw new OperatorError('backup_too_new', message, { hint: 'Restore it with a newer build.' })
  }
  return {
    ...stored,
    verify(keys) {
      if (keys.sign(JSON.stringify(stored.manifest)) === stored.signature) return
      throw damaged(object_key, 'its signature does not fit')
    },
  }
}

function parse(object_key: string, bytes: Uint8Array): SignedManifest {
  let stored: Partial<SignedManifest>
  try {
    stored = JSON.parse(Buffer.from(bytes).toString('utf8')) as Partial<SignedManifest>
  } catch {
    throw damaged(object_key, 'it is not JSON')
  }
  if (typeof stored.manifest?.format !== 'number') throw damaged(object_key, 'it has no format')
  return stored as SignedManifest
}

function damaged(object_key: string, why: string): OperatorError {
  return new OperatorError('backup_damaged', `${object_key} is damaged: ${why}.`, {
    hint: 'Restore another backup: `npx booktape backup ls`.',
  })
}

/** Every object of the backups, by the id of its backup, oldest backup first. */
export async function listBackups(
  store: ObjectStore,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const by_id = new Map<string, string[]>()
  for (const { key } of await store.list(BACKUPS_PREFIX)) {
    const id = parseBackupKey(key)
    if (id === undefined) continue
    const keys = by_id.get(id)
    if (keys === undefined) by_id.set(id, [key])
    else keys.push(key)
  }
  return by_id
}

/** Ids of the backups that are complete, oldest first. */
export async function completeBackups(store: ObjectStore): Promise<readonly string[]> {
  const found = await listBackups(store)
  return [...found].flatMap(([id, keys]) => (keys.includes(backupManifestKey(id)) ? [id] : []))
}
