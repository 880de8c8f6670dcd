/** Stores a file's rows in a raw table, and settles the ledger. */
import { inTransaction } from '#core/node/pool.ts'
import { dayRange } from '#core/time.ts'
import { ensureSymbol } from './ensure-symbol.ts'
import { type FileFacts, selectSpan, upsertFile } from './file-records.ts'
import { findingOf } from './findings.ts'
import type { RawFile } from './kind.ts'
import {
  closeGaps,
  type ImportedFile,
  missingOf,
  selectEdges,
  selectStillMissing,
  writeGaps,
} from './ledger.ts'
import { refuseMixedTrades } from './mixed-trades.ts'
import { type FileRows, type ReadOptions, storeFile } from './read-file.ts'
import type { Found, ImportedResult } from './results.ts'

export interface RawOptions extends ReadOptions {
  readonly now: () => number
}

export async function importRaw(
  options: RawOptions,
  file: RawFile,
  path: string,
  found: Found,
): Promise<ImportedResult> {
  const { kind, exchange } = file
  const symbol_id = await ensureSymbol(options.pool, file)
  const days = { from: dayRange(file.from).from, to: dayRange(file.to).from }
  await refuseMixedTrades(options.pool, { kind, symbol_id }, days.from, days.to)
  const is_replacing = found.is_replaced && kind.is_stamped_once
  const replaced = is_replacing ? await selectSpan(options.pool, file) : undefined
  const rows = await storeFile(options, file, { kind, exchange, symbol_id, replaced }, path)
  return {
    kind: 'imported',
    is_replaced: found.is_replaced,
    hours: rows.changed_hours,
    uncovered_hours: rows.uncovered_hours,
    ...(await settle(options, file, symbol_id, rows, found)),
  }
}

/** The ledger and the file's row, in one transaction. */
async function settle(
  { pool, now }: RawOptions,
  file: RawFile,
  symbol_id: number,
  rows: FileRows,
  { sha256, byte_count }: Found,
): Promise<Pick<ImportedResult, 'facts' | 'closed_gaps'>> {
  const { kind } = file
  const { continuity } = rows
  const imported: ImportedFile = {
    symbol_id,
    channel: kind.table,
    from_ts: dayRange(file.from).from,
    to_ts: dayRange(file.to).from,
    first: continuity.first,
    last: continuity.last,
    missing: continuity.missing,
    ids_are_consecutive: kind.ids_are_consecutive,
    may_be_silent: !kind.ids_are_consecutive && kind.silence_us === undefined,
  }
  const at = new Date(now())
  return inTransaction(pool, async (client) => {
    // Files of neighbouring days may be imported at the same time; each must see the other.
    await client.query('lock table marketdata.imports in share row exclusive mode')
    const edges = await selectEdges(client, imported, kind.name)
    const missing = await selectStillMissing(client, imported, missingOf(imported, edges))
    await writeGaps(client, imported, edges, missing, at)
    const facts: FileFacts = {
      sha256,
      byte_count,
      line_count: rows.line_count,
      added_count: rows.added_count,
      removed_count: rows.removed_count,
      known_count: Math.max(0, rows.row_count - rows.added_count - continuity.repeated_count),
      repeated_count: continuity.repeated_count,
      void_count: rows.void_count,
      rejected_count: rows.rejected_count,
      finding: findingOf(imported, missing, rows),
    }
    const { from_ts, to_ts, first, last, channel, ids_are_consecutive } = imported
    const ids = ids_are_consecutive
      ? { first_id: first?.id ?? null, last_id: last?.id ?? null }
      : { first_id: null, last_id: null }
    const extent = { from_ts, to_ts, first_ts: first?.ts, last_ts: last?.ts, ...ids }
    const record = { symbol_id, table_name: channel, ...extent, missing_count: missing.length }
    await upsertFile(client, file, record, facts, at)
    const closed_gaps = await closeGaps(client, imported, rows.uncovered_hours, file.path, at)
    return { facts, closed_gaps }
  })
}
