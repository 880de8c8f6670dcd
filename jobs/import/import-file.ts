/** Imports one file: fetches it, compares its checksum, stores its rows, and settles the ledger. */
import { createReadStream } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { OperatorError } from '#core/errors.ts'
import { inTransaction, type Pool } from '#core/node/pool.ts'
import { isSymbolName } from '#core/symbols.ts'
import { dayRange, type Day, type Micros } from '#core/time.ts'
import { digestOf } from '../columns/digest.ts'
import { withLock } from '../runs/run.ts'
import { findingOf } from './findings.ts'
import { type FileFacts, selectSha256, upsertFile } from './file-records.ts'
import type { SourceFile } from './kind.ts'
import {
  closeGaps,
  type ImportedFile,
  missingOf,
  selectEdges,
  selectStillMissing,
  writeGaps,
} from './ledger.ts'
import { refuseMixedTrades } from './mixed-trades.ts'
import { type MissingDay, noteMissingDay } from './missing-day.ts'
import type { Origin } from './origin.ts'
import { checkContent, type FileRows, type ReadOptions, storeFile } from './read-file.ts'

export interface FileOptions extends ReadOptions {
  readonly origin: Origin
  /** Compares files that are done with their source, and imports those that it has replaced. */
  readonly is_recheck: boolean
  readonly now: () => number
  readonly onBytes?: (file: SourceFile, count: number) => void
}

export type FileResult = { readonly file: SourceFile } & (
  | ImportedResult
  /** Done before; with `is_recheck`, the source still has the same file. */
  | { readonly kind: 'known' }
  | { readonly kind: 'absent'; readonly day: MissingDay }
  | { readonly kind: 'failed'; readonly error: unknown }
)

interface ImportedResult {
  readonly kind: 'imported'
  readonly facts: FileFacts
  readonly closed_gaps: number
  /** True if the source had another file of this name before. */
  readonly is_replaced: boolean
  /** Hours in which the table changed. */
  readonly hours: readonly Micros[]
  /** Hours that were left as they had been recorded. */
  readonly uncovered_hours: readonly Micros[]
}

export const IMPORT_LOCK = 'import'

/** Errors: those of one file; others may go on. */
export async function importFile(options: FileOptions, file: SourceFile): Promise<FileResult> {
  const result = await withLock(options.pool, IMPORT_LOCK, file.path, () => locked(options, file))
  if (result.kind === 'done') return result.value
  throw new OperatorError('import_running', `Another import is at ${file.path}.`, {
    hint: 'Run this again when it is done.',
    retryable: true,
  })
}

async function locked(options: FileOptions, file: SourceFile): Promise<FileResult> {
  const { pool, origin, work_dir, is_recheck, now, onBytes, signal } = options
  const known = await selectSha256(pool, file)
  if (known !== undefined && !is_recheck) return { file, kind: 'known' }
  if ((await origin.find(file)) === undefined) {
    if (known !== undefined) return { file, kind: 'known' }
    return { file, kind: 'absent', day: await noteMissingDay(options, file, now() * 1_000) }
  }
  const stated = await origin.checksum(file)
  if (known !== undefined && stated === known) return { file, kind: 'known' }
  const dir = join(work_dir, 'import')
  await mkdir(dir, { recursive: true })
  const part = join(dir, file.path.replaceAll('/', '_'))
  const path = await origin.get(file, part, stated, (count) => onBytes?.(file, count))
  // A download that was interrupted stays, and goes on in the next run. Others are deleted.
  try {
    const { sha256, bytes } = await digestOf(createReadStream(path))
    if (stated !== undefined && stated !== sha256) throw wrongSum(file, stated, sha256)
    if (known === sha256) return { file, kind: 'known' }
    await checkContent(path, signal)
    const found = { sha256, byte_count: bytes, is_replaced: known !== undefined }
    return { file, ...(await importContent(options, file, path, found)) }
  } finally {
    await rm(part, { force: true })
  }
}

interface Found {
  readonly sha256: string
  readonly byte_count: number
  readonly is_replaced: boolean
}

async function importContent(
  options: FileOptions,
  file: SourceFile,
  path: string,
  found: Found,
): Promise<ImportedResult> {
  const { kind, exchange } = file
  const symbol_id = await ensureSymbol(options.pool, file)
  const days = { from: dayRange(file.from as Day).from, to: dayRange(file.to as Day).from }
  await refuseMixedTrades(options.pool, { kind, symbol_id }, days.from, days.to)
  const is_replacing = found.is_replaced && kind.is_stamped_once
  const rows = await storeFile(options, file, { kind, exchange, symbol_id, is_replacing }, path)
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
  { pool, now }: FileOptions,
  file: SourceFile,
  symbol_id: number,
  rows: FileRows,
  { sha256, byte_count }: Found,
): Promise<Pick<ImportedResult, 'facts' | 'closed_gaps'>> {
  const { kind } = file
  const { continuity } = rows
  const imported: ImportedFile = {
    symbol_id,
    channel: kind.table,
    from_ts: dayRange(file.from as Day).from,
    to_ts: dayRange(file.to as Day).from,
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
    await upsertFile(client, file, imported, facts, missing.length, at)
    const closed_gaps = await closeGaps(client, imported, rows.uncovered_hours, file.path, at)
    return { facts, closed_gaps }
  })
}

/** Its facts come with the exchange's next listing. */
async function ensureSymbol(pool: Pool, { exchange, symbol }: SourceFile): Promise<number> {
  if (!isSymbolName(symbol)) {
    throw new OperatorError('import_symbol', `"${symbol}" is not a name of a symbol.`)
  }
  await pool.query(
    `insert into marketdata.symbols (exchange, symbol) select $1, $2
     where not exists (
       select from marketdata.symbols where exchange = $1 and symbol = $2
     )
     on conflict do nothing`,
    [exchange, symbol],
  )
  const { rows } = await pool.query<{ id: string }>(
    'select id from marketdata.symbols where exchange = $1 and symbol = $2',
    [exchange, symbol],
  )
  return Number(rows[0]!.id)
}

function wrongSum({ path }: SourceFile, stated: string, found: string): OperatorError {
  return new OperatorError(
    'import_checksum',
    `${path} has the sha256 ${found}, and its CHECKSUM says ${stated}.`,
    { hint: 'Nothing of it was stored. Fetch it again.', retryable: true },
  )
}
