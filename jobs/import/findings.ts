/** What is wrong with a file, as a sentence for people. */
import { dayOf, micros, toIso } from '#core/time.ts'
import type { Missing } from './continuity.ts'
import type { ImportedFile } from './ledger.ts'
import type { FileRows } from './read-file.ts'

/** Null: the file is whole. */
export function findingOf(
  { from_ts, to_ts, first, last, may_be_silent }: ImportedFile,
  missing: readonly Missing[],
  rows: FileRows,
): string | null {
  const found: string[] = []
  const is_long = to_ts - from_ts > 86_400_000_000
  const clock = (ts: number): string => clockOf(ts, is_long)
  if (first === undefined || last === undefined) {
    if (!may_be_silent) found.push('it has no row')
  } else if (missing.length > 0) {
    found.push(missingText(missing, clock))
    if (missing.some((gap) => gap.from_ts === last.ts)) found.push(`it ends at ${clock(last.ts)}`)
    if (missing.some((gap) => gap.to_ts === first.ts && gap.from_ts === from_ts)) {
      found.push(`it begins at ${clock(first.ts)}`)
    }
  }
  found.push(...otherFaults(rows))
  return found.length === 0 ? null : found.join('; ')
}

export function otherFaults({
  rejected_count,
  first_rejected,
  outside_count,
}: Pick<FileRows, 'rejected_count' | 'first_rejected' | 'outside_count'>): readonly string[] {
  const found: string[] = []
  if (rejected_count > 0) {
    found.push(`${rejected_count} lines cannot be read (the first: ${first_rejected})`)
  }
  if (outside_count > 0) found.push(`${outside_count} rows are of other days`)
  return found
}

/** `5 ids are missing in 2 places, first after 04:57:00` */
export function missingText(
  missing: readonly Pick<Missing, 'from_ts' | 'from_id' | 'to_id'>[],
  clock: (ts: number) => string,
): string {
  const ids = missingIds(missing)
  const places = missing.length === 1 ? 'one place' : `${missing.length} places`
  const how_many = ids > 0 ? `${ids} ids are missing` : 'rows are missing'
  return `${how_many} in ${places}, first after ${clock(missing[0]!.from_ts)}`
}

export function clockOf(ts: number, with_date: boolean): string {
  const clock = toIso(micros(ts)).slice(11, 19)
  return with_date ? `${dayOf(micros(ts))} ${clock}` : clock
}

function missingIds(missing: readonly Pick<Missing, 'from_id' | 'to_id'>[]): number {
  return missing.reduce(
    (sum, { from_id, to_id }) =>
      from_id === null || to_id === null ? sum : sum + to_id - from_id - 1,
    0,
  )
}
