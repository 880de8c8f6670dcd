/** Which backups may go. */
import type { Manifest } from './manifest.ts'

export type KnownBackup = Pick<Manifest, 'id' | 'kind' | 'parts'>

/**
 * Ids of the backups that need not be kept. The newest `keep_count` full ones stay, the state ones
 * since the second newest full one, and every backup that a kept one refers to.
 */
export function selectExpired(
  backups: readonly KnownBackup[],
  keep_count: number,
): readonly string[] {
  const newest_first = backups.toSorted((a, b) => (a.id < b.id ? 1 : -1))
  const full = newest_first.filter(({ kind }) => kind === 'full').map(({ id }) => id)
  const kept = new Set(full.slice(0, keep_count))
  const state_since = full[1] ?? ''
  for (const { id, kind, parts } of newest_first) {
    if (kind === 'full' || id < state_since) continue
    kept.add(id)
    for (const { backup_id } of parts) kept.add(backup_id)
  }
  return backups.map(({ id }) => id).filter((id) => !kept.has(id))
}
