/** Replaces a table's metadata, and deletes the metadata files that it no longer names. */
import { OperatorError } from '#core/errors.ts'
import { type TableMetadata, withPrevious } from './format/metadata.ts'
import { type TableName, tableName } from './format/table.ts'
import { metadataPath } from './metadata-path.ts'
import { openPointer, type Services } from './pointer.ts'
import { SnapshotFiles } from './snapshot-files.ts'

/** Each try fails only because another writer has committed. */
export const TRIES = 20

/** Returns the metadata as it is afterwards. `change` returns it as it was to change nothing. */
export async function updateMetadata(
  services: Services,
  table: TableName,
  change: (metadata: TableMetadata) => TableMetadata,
): Promise<TableMetadata> {
  const pointer = await openPointer(services, table)
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const current = await pointer.current()
    if (current === undefined) throw noTable(table)
    const { metadata, version } = current
    const changed = change(metadata)
    if (changed === metadata) return metadata
    const next = withPrevious(changed, metadataPath(services.store, table, version))
    if ((await pointer.advance(version, next)) === undefined) continue
    await forgetMetadata(new SnapshotFiles(services.store, table), metadata, next)
    return next
  }
  throw tableBusy(table)
}

/** Older metadata files than the new one lists. A killed run leaves them to the next expiry. */
export async function forgetMetadata(
  files: SnapshotFiles,
  before: TableMetadata,
  now: TableMetadata,
): Promise<void> {
  const kept = new Set(now['metadata-log'].map((entry) => entry['metadata-file']))
  for (const { 'metadata-file': path } of before['metadata-log']) {
    if (!kept.has(path)) await files.delete(path)
  }
}

export function tableBusy(table: TableName): OperatorError {
  return new OperatorError(
    'lake_busy',
    `${tableName(table)}: other writers were first ${TRIES} times.`,
    { hint: 'Try again; the job `lake` does so by itself.', retryable: true },
  )
}

function noTable(table: TableName): OperatorError {
  return new OperatorError('no_lake_table', `The lake has no table ${tableName(table)}.`, {
    hint: '`npx booktape lake status` lists the tables.',
  })
}
