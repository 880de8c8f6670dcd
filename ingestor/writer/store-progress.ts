/** Stores what a batch proves besides its rows: gaps, stream offsets, and the tape's position. */
import type { QueryResult } from 'pg'
import { OperatorError } from '#core/errors.ts'
import type { Channel, Gap } from '#core/market.ts'
import type { Client } from '#core/node/pool.ts'
import { toIso } from '#core/time.ts'
import { storeApart } from './apart.ts'
import { texts, timestamps } from './binary-arrays.ts'
import { refusedFor, type RefusedRecord } from './dead-letters.ts'
import { type AddedRange, oldestAdded } from './invalidations.ts'
import { offsetColumns, type OffsetColumns, offsetsOf, upsertOffsets } from './offset-columns.ts'
import type { PreparedBatch, SymbolIds } from './prepare.ts'
import { type Execution, sendTogether, type TableCopying } from './send-together.ts'

export interface ProgressDeps {
  readonly client: Client
  readonly ingestor_id: string
  readonly tape_id: string
  readonly symbolId: SymbolIds
  /** True for a running ingestor: its streams are covered only up to its last batch. */
  readonly live: boolean
}

/**
 * Missed trades are refilled (repair/). For other channels the ledger says why a gap stays open.
 */
const NOT_REFILLABLE: { readonly [name in Channel]?: string } = {
  book_ticker: 'The exchange keeps no history of quotes.',
  depth_events: 'The exchange keeps no history of book updates.',
  mark_price: 'The exchange keeps no history of per-second mark prices.',
  liquidations: 'The exchange keeps no history of liquidations.',
  prices: 'The exchange keeps no history of index values.',
}

const NO_TRADE_IDS = 'The trades of this exchange have no ids by which to request them.'

export interface CommitEffects {
  /** New rows of the gap ledger. */
  readonly gap_count: number
  /** Number of tables that got rows below their threshold. */
  readonly late_count: number
  /** Gaps and offsets that Postgres refused. */
  readonly refused: readonly RefusedRecord[]
}

/** Once for each connection. A pooler in transaction mode is not for the ingestor. */
export async function prepareProgress(deps: ProgressDeps): Promise<void> {
  const { ingestor_id, tape_id } = deps
  const no_ranges = [texts([]), timestamps([])]
  const of_nothing = [ingestor_id, tape_id, null, null, '[]', ...no_ranges, null]
  const values = [...of_nothing, ...offsetColumns([]), 'false']
  await deps.client.query({ name: PROGRESS_NAME, text: PROGRESS, values })
}

/**
 * Writes gaps, offsets and the position, and reads the thresholds, in one statement, after `copies`
 * and in one round trip with them.
 */
export async function storeProgress(
  deps: ProgressDeps,
  copies: readonly TableCopying[],
  { batch, offsets }: PreparedBatch,
  added: readonly AddedRange[],
): Promise<CommitEffects> {
  const gaps = gapsOf(deps, batch)
  const progress = progressOf(deps, batch, { added, gaps, offsets, must_be_all: false })
  const results = await sendTogether(deps.client, [...copies, progress])
  return effectsOf(deps, results)
}

/** The same, but gaps and offsets that Postgres refuses are left out. */
export async function storeProgressCarefully(
  deps: ProgressDeps,
  { batch }: PreparedBatch,
  added: readonly AddedRange[],
): Promise<CommitEffects> {
  const { client, ingestor_id, symbolId } = deps
  const insert = async (sql: string, values: readonly unknown[]): Promise<number> =>
    (await client.query(sql, [...values])).rowCount ?? 0
  const gaps = await storeApart(client, gapsOf(deps, batch), (part) =>
    insert(insertGaps('$1'), [JSON.stringify(part)]),
  )
  const offsets = await storeApart(client, offsetsOf(batch.streams, symbolId), (part) =>
    insert(upsertOffsets(2), [ingestor_id, ...offsetColumns(part)]),
  )
  const rest = { added, gaps: [], offsets: offsetColumns([]), must_be_all: false }
  const results = await sendTogether(client, [progressOf(deps, batch, rest)])
  const { gap_count, late_count } = effectsOf(deps, results)
  const refused = [
    ...refusedFor('gaps', gaps.refused),
    ...refusedFor('stream_offsets', offsets.refused),
  ]
  return { gap_count: gap_count + gaps.stored, late_count, refused }
}

/**
 * The statement for a batch without gaps whose COMMIT follows unseen: it fails with
 * `division_by_zero` if the position has moved, or if rows are below a threshold.
 */
export function finalProgress(
  deps: ProgressDeps,
  { batch, offsets }: PreparedBatch,
  added: readonly AddedRange[],
): Execution {
  return progressOf(deps, batch, { added, gaps: [], offsets, must_be_all: true })
}

function gapsOf({ symbolId }: ProgressDeps, { gaps }: PreparedBatch['batch']) {
  return gaps.map(({ from_ts, to_ts, detected_at, ...gap }) => ({
    ...gap,
    symbol_id: symbolId(gap),
    repair_note: noteOf(gap),
    from_ts: toIso(from_ts),
    to_ts: toIso(to_ts),
    detected_at: toIso(detected_at),
  }))
}

interface Written {
  readonly added: readonly AddedRange[]
  readonly gaps: readonly object[]
  readonly offsets: OffsetColumns
  /** Nothing but a COMMIT may be left to do. */
  readonly must_be_all: boolean
}

function progressOf(
  { ingestor_id, tape_id, live }: ProgressDeps,
  { from_position, to_position, covered_until }: PreparedBatch['batch'],
  { added, gaps, offsets, must_be_all }: Written,
): Execution {
  const oldest = oldestAdded(added)
  const values = [
    ingestor_id,
    tape_id,
    String(from_position),
    String(to_position),
    JSON.stringify(gaps),
    texts(oldest.table_names),
    timestamps(oldest.lowest),
    live && covered_until !== undefined ? toIso(covered_until) : null,
    ...offsets,
    String(must_be_all),
  ]
  return { name: PROGRESS_NAME, values }
}

interface Progressed extends Omit<CommitEffects, 'refused'> {
  readonly moved_count: number
}

function effectsOf(
  { ingestor_id }: ProgressDeps,
  results: readonly QueryResult<Progressed>[],
): CommitEffects {
  const progress = results.at(-1)?.rows[0]
  if (progress?.moved_count !== 1) throw positionMoved(ingestor_id)
  const { gap_count, late_count } = progress
  return { gap_count, late_count, refused: [] }
}

function noteOf({ channel, to_id }: Pick<Gap, 'channel' | 'to_id'>): string | null {
  if (channel === 'trades' && to_id === null) return NO_TRADE_IDS
  return NOT_REFILLABLE[channel] ?? null
}

const insertGaps = (gaps: string): string =>
  `insert into marketdata.gaps
    (symbol_id, channel, from_ts, to_ts, from_id, to_id, cause, detected_at, repair_note)
  select symbol_id, channel, from_ts, to_ts, from_id, to_id, cause, detected_at, repair_note
  from jsonb_to_recordset(${gaps}::jsonb) as g (symbol_id bigint, channel text, from_ts timestamptz,
    to_ts timestamptz, from_id bigint, to_id bigint, cause text, detected_at timestamptz,
    repair_note text)
  on conflict do nothing`

const PROGRESS_NAME = 'progress'
const PROGRESS = `with gap as (
    ${insertGaps('$5')}
    returning 1
  ), stream_offset as (
    ${upsertOffsets(9)}
  ), moved as (
    update marketdata.tape_positions set tape_position = $4, updated_at = now(),
      covered_until = coalesce($8::timestamptz, covered_until)
    where ingestor_id = $1 and tape_id = $2 and tape_position = $3
    returning 1
  ), threshold as (
    select table_name, threshold from marketdata.invalidation_thresholds
    where table_name = any ($6::text[]) order by table_name for share
  ), effect as materialized (
    select (select count(*) from gap)::int as gap_count,
      (select count(*) from moved)::int as moved_count,
      (select count(*) from unnest($6::text[], $7::timestamptz[]) as added (table_name, lowest)
        join threshold using (table_name) where lowest < threshold)::int as late_count
  )
  select gap_count, moved_count, late_count,
    1 / (not $20::boolean or (moved_count = 1 and late_count = 0))::int as is_allowed
  from effect`

/**
 * The position was moved by a transaction of ours that seemed lost, or by a second ingestor with
 * the same id. Reading the position again shows which.
 */
export function positionMoved(ingestor_id: string): OperatorError {
  return new OperatorError(
    'position_moved',
    `The tape position of ingestor ${ingestor_id} is not where this process left it.`,
    { hint: 'Give every running ingestor a unique INGESTOR_ID.', retryable: true },
  )
}
