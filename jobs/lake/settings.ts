/** How long the lake keeps what it no longer needs. */
import { whole } from '#core/environment.ts'

export interface LakeSettings {
  /**
   * How long a snapshot stays after the next one has replaced it, and the files that only it
   * names [ms].
   */
  readonly keep_ms: number
}

const DAY_MS = 86_400_000

export const LAKE_VARIABLES = {
  LAKE_KEEP_DAYS: whole({ min: 1, max: 36_500, standard: 7, what: 'whole days' }),
}

export function lakeSettings({
  LAKE_KEEP_DAYS,
}: {
  readonly LAKE_KEEP_DAYS: number
}): LakeSettings {
  return Object.freeze({ keep_ms: LAKE_KEEP_DAYS * DAY_MS })
}
