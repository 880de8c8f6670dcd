/** Stores a file whose rows no stream records, in one transaction with its record. */
import { inTransaction } from '#core/node/pool.ts'
import { DAY_US, dayRange } from '#core/time.ts'
import { missingBetween } from '../facts/cadence.ts'
import { noteFactDays } from '../facts/fact-days.ts'
import { ensureSymbol } from './ensure-symbol.ts'
import { type FactRows, storeFacts } from './fact-rows.ts'
import { type FileFacts, selectSpan, upsertFile } from './file-records.ts'
import { clockOf, missingText, otherFaults } from './findings.ts'
import type { RawOptions } from './import-raw.ts'
import type { FactFile } from './kind.ts'
import type { Missing } from './continuity.ts'
import type { Found, ImportedResult } from './results.ts'

export async function importFacts(
  { pool, now }: RawOptions,
  file: FactFile,
  path: string,
  { sha256, byte_count, is_replaced }: Found,
): Promise<ImportedResult> {
  const symbol_id = await ensureSymbol(pool, file)
  const days = { from: dayRange(file.from).from, to: dayRange(file.to).from }
  const facts = await inTransaction(pool, async (client): Promise<FileFacts> => {
    const before = is_replaced ? await selectSpan(client, file) : undefined
    const rows = await storeFacts(client, file, symbol_id, path, before)
    const missing = missingBetween(file.kind.cadence, days, rows.times)
    const counts: FileFacts = {
      sha256,
      byte_count,
      line_count: rows.line_count,
      added_count: rows.row_count,
      removed_count: rows.removed_count,
      known_count: 0,
      repeated_count: rows.repeated_count,
      void_count: rows.void_count,
      rejected_count: rows.rejected_count,
      finding: findingOf(rows, missing, days.to - days.from > DAY_US),
    }
    const ends = { first_ts: rows.times[0], last_ts: rows.times.at(-1) }
    const extent = { from_ts: days.from, to_ts: days.to, ...ends, first_id: null, last_id: null }
    const table_name = file.kind.facts.name
    const record = { symbol_id, table_name, ...extent, missing_count: missing.length }
    await upsertFile(client, file, record, counts, new Date(now()))
    const { from, to } = file
    await noteFactDays(client, { table: file.kind.facts.name, symbol_id, from, to })
    return counts
  })
  return { kind: 'imported', is_replaced, facts, closed_gaps: 0, hours: [], uncovered_hours: [] }
}

/** Null: the file is whole. */
function findingOf(rows: FactRows, missing: readonly Missing[], with_date: boolean): string | null {
  const gaps =
    rows.row_count === 0
      ? ['it has no row']
      : missing.length > 0
        ? [missingText(missing, (ts) => clockOf(ts, with_date))]
        : []
  const found = [...gaps, ...otherFaults(rows)]
  return found.length === 0 ? null : found.join('; ')
}
