/** Parts that hold an hour of a lake table. */
import { ARCHIVED_NAMES } from '#core/archived-tables.ts'
import { micros } from '#core/time.ts'
import type { TableHour } from '../archive/records.ts'
import type { BackupPart } from './manifest.ts'

/** Undefined if the part is a table outside the lake. */
export function hourOf({
  table_name,
  hour,
}: Pick<BackupPart, 'table_name' | 'hour'>): TableHour | undefined {
  const name = ARCHIVED_NAMES.find((one) => one === table_name)
  if (name === undefined || hour === null) return undefined
  return { table_name: name, hour: micros(Date.parse(hour) * 1_000) }
}
