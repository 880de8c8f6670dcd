/** Tags: names for snapshots that must stay, such as the one that a model was trained on. */
import { OperatorError } from '#core/errors.ts'
import { tagsOf, withTag } from './format/metadata.ts'
import { type TableName, tableName } from './format/table.ts'
import type { Services } from './pointer.ts'
import { updateMetadata } from './update-metadata.ts'

const TAG_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}$/
export const TAG_RULE = 'letters, digits, ".", "_" and "-", at most 64, and not main'

export function isTagName(text: string): boolean {
  return TAG_NAME.test(text) && text !== 'main'
}

export interface Tagging {
  readonly table: TableName
  readonly tag: string
  /** Undefined: the current one. */
  readonly snapshot_id: number | undefined
  readonly now_ms: number
}

/**
 * Returns the snapshot's id. Errors: `no_snapshot` if the table has no such snapshot, `tag_exists`
 * if the tag names another one.
 */
export async function tagSnapshot(
  services: Services,
  { table, tag, snapshot_id, now_ms }: Tagging,
): Promise<number> {
  let tagged = 0
  await updateMetadata(services, table, (metadata) => {
    tagged = snapshot_id ?? metadata['current-snapshot-id']
    if (metadata.snapshots.every((snapshot) => snapshot['snapshot-id'] !== tagged)) {
      throw new OperatorError('no_snapshot', `${tableName(table)} has no snapshot ${tagged}.`, {
        hint: `\`npx booktape lake snapshots ${tableName(table)}\` lists them.`,
      })
    }
    const known = tagsOf(metadata).get(tag)
    if (known === tagged) return metadata
    if (known !== undefined) {
      throw new OperatorError('tag_exists', `${tag} is the snapshot ${known}.`, {
        hint: 'Take another name, or remove the tag first. Whoever cites it relies on it.',
      })
    }
    return withTag(metadata, tag, tagged, now_ms)
  })
  return tagged
}

/** Errors: `no_tag`. */
export async function removeTag(
  services: Services,
  { table, tag, now_ms }: Omit<Tagging, 'snapshot_id'>,
): Promise<void> {
  await updateMetadata(services, table, (metadata) => {
    if (tagsOf(metadata).has(tag)) return withTag(metadata, tag, undefined, now_ms)
    throw new OperatorError('no_tag', `${tableName(table)} has no tag ${tag}.`, {
      hint: `\`npx booktape lake snapshots ${tableName(table)}\` lists the tags.`,
    })
  })
}
