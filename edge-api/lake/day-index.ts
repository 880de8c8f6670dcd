/**
 * Lists the archived hours of a table from the index.json of each day. Used only while the
 * database, which knows more, does not respond.
 */
import { z } from 'zod'
import { ARCHIVED_NAMES, type ArchivedTable } from '#core/archived-tables.ts'
import type { ArchiveIndex } from '#core/archive.ts'
import { OperatorError } from '#core/errors.ts'
import { archiveIndexKey } from '#core/object-keys.ts'
import { addDays, dayOf, HOUR_US, micros, type Day, type Micros } from '#core/time.ts'
import { EXCHANGES } from '#core/symbols.ts'
import type { ArchivedHourRow } from '../queries/archived-hours.ts'
import { parseTime } from '../schemas/time-parameter.ts'
import type { ObjectReader } from '../store/object-store.ts'

/** A day has 24 hours of about 400 bytes. */
const INDEX_BYTES_MAX = 256 << 10

const count = z.int().min(0)

const Index = z.object({
  exchange: z.enum(EXCHANGES),
  table_name: z.enum(ARCHIVED_NAMES),
  date: z.string(),
  hours: z
    .array(
      z.object({
        exchange: z.enum(EXCHANGES),
        table_name: z.enum(ARCHIVED_NAMES),
        hour: z.string(),
        version: z.int().min(1),
        object_key: z.string(),
        row_count: count,
        byte_count: count,
        sha256: z.string(),
        min_ts_exchange: z.string(),
        max_ts_exchange: z.string(),
      }),
    )
    .max(24),
}) satisfies z.ZodType<ArchiveIndex>

/** Archived hours that overlap [from, to). Reads at most `day_count_max` days. */
export async function readArchivedHours(
  store: ObjectReader,
  wanted: {
    readonly exchange: string
    readonly table_name: ArchivedTable
    readonly from: Micros
    readonly to: Micros
    readonly day_count_max: number
  },
): Promise<readonly ArchivedHourRow[]> {
  const days: Day[] = []
  const last = dayOf(micros(wanted.to - 1))
  for (let day = dayOf(wanted.from); day <= last; day = addDays(day, 1)) {
    if (days.length === wanted.day_count_max) break
    days.push(day)
  }
  const indexes = await Promise.all(
    days.map((day) => readIndex(store, archiveIndexKey(wanted.table_name, wanted.exchange, day))),
  )
  return indexes
    .flat()
    .filter(({ hour }) => hour > wanted.from - HOUR_US && hour < wanted.to)
    .toSorted((a, b) => a.hour - b.hour)
}

async function readIndex(store: ObjectReader, key: string): Promise<readonly ArchivedHourRow[]> {
  const bytes = await store.read(key, INDEX_BYTES_MAX)
  if (bytes === undefined) return []
  const { hours } = parseIndex(bytes, key)
  return hours.map(({ hour, version, object_key, byte_count }) => {
    const start = parseTime(hour)
    if (start === undefined) throw damaged(key)
    return { hour: start, version, object_key, byte_count, is_dropped: true }
  })
}

function parseIndex(bytes: Uint8Array, key: string): ArchiveIndex {
  try {
    return Index.parse(JSON.parse(new TextDecoder().decode(bytes)))
  } catch {
    throw damaged(key)
  }
}

function damaged(key: string): OperatorError {
  return new OperatorError('archive_damaged', `${key} is not a valid archive index.`, {
    hint: 'An operator must check the archive.',
  })
}
