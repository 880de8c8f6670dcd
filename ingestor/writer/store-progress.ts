/** Stores what a batch proves besides its rows: gaps, stream offsets, and the tape's position. */
import type { QueryConfig } from 'pg'
import { OperatorError } from '#core/errors.ts'
import type { Channel, Gap } from '#core/market.ts'
import type { Client } from '#core/node/pool.ts'
import { toIso } from '#core/time.ts'
import { storeApart } from './apart.ts'
import { bigints, timestamps } from './binary-arrays.ts'
import { refusedFor, type RefusedRecord } from './dead-letters.ts'
import { type AddedRange, oldestAdded } from './invalidations.ts'
import type { PreparedBatch, SymbolIds } from './prepare.ts'
import { type Leading, queryAfter } from './query-after.ts'
import type { StreamOffset } from './stream-table.ts'

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

/** So that `storeAfter` finds the statement prepared. */
export async function prepareProgress({
  client,
  ingestor_id,
  tape_id,
}: ProgressDeps): Promise<void> {
  const nothing = [[], [], null, ...offsetColumns([])]
  await client.query(progressQuery([ingestor_id, tape_id, null, null, '[]', ...nothing]))
}

/**
 * Writes gaps, offsets and the position, and reads the thresholds, in one statement, in one round
 * trip with what comes before it in the transaction.
 */
export async function storeProgressAfter(
  deps: ProgressDeps,
  leading: readonly Leading[],
  batch: PreparedBatch['batch'],
  added: readonly AddedRange[],
): Promise<CommitEffects> {
  const query = progressOf(deps, batch, added, gapsOf(deps, batch), offsetsOf(deps, batch))
  const { rows } = await queryAfter<Progressed>(deps.client, leading, query)
  return effectsOf(deps, rows)
}

/** The same, but gaps and offsets that Postgres refuses are left out. */
export async function storeProgressCarefully(
  deps: ProgressDeps,
  batch: PreparedBatch['batch'],
  added: readonly AddedRange[],
): Promise<CommitEffects> {
  const { client, ingestor_id } = deps
  const insert = async (sql: string, values: readonly unknown[]): Promise<number> =>
    (await client.query(sql, [...values])).rowCount ?? 0
  const gaps = await storeApart(client, gapsOf(deps, batch), (part) =>
    insert(insertGaps('$1'), [JSON.stringify(part)]),
  )
  const offsets = await storeApart(client, offsetsOf(deps, batch), (part) =>
    insert(upsertOffsets(2), [ingestor_id, ...offsetColumns(part)]),
  )
  const { rows } = await client.query<Progressed>(progressOf(deps, batch, added, [], []))
  const { gap_count, late_count } = effectsOf(deps, rows)
  const refused = [
    ...refusedFor('gaps', gaps.refused),
    ...refusedFor('stream_offsets', offsets.refused),
  ]
  return { gap_count: gap_count + gaps.stored, late_count, refused }
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

function offsetsOf(
  { symbolId }: ProgressDeps,
  { streams }: PreparedBatch['batch'],
): readonly StoredOffset[] {
  return streams.flatMap(({ offset }) =>
    offset === undefined ? [] : [{ ...offset, symbol_id: symbolId(offset) }],
  )
}

function progressOf(
  { ingestor_id, tape_id, live }: ProgressDeps,
  { from_position, to_position, covered_until }: PreparedBatch['batch'],
  added: readonly AddedRange[],
  gaps: readonly object[],
  offsets: readonly StoredOffset[],
): QueryConfig {
  const oldest = oldestAdded(added)
  return progressQuery([
    ingestor_id,
    tape_id,
    from_position,
    to_position,
    JSON.stringify(gaps),
    oldest.table_names,
    oldest.lowest,
    live && covered_until !== undefined ? toIso(covered_until) : null,
    ...offsetColumns(offsets),
  ])
}

/** Prepared once for each connection. A pooler in transaction mode is not for the ingestor. */
function progressQuery(values: unknown[]): QueryConfig {
  return { name: 'progress', text: PROGRESS, values }
}

type Progressed = Omit<CommitEffects, 'refused'> & { readonly moved_count: number }

function effectsOf(
  { ingestor_id }: ProgressDeps,
  [progress]: readonly Progressed[],
): CommitEffects {
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

type StoredOffset = StreamOffset & { readonly symbol_id: number }

/** The parameters of `upsertOffsets`: each column as an array. */
function offsetColumns(offsets: readonly StoredOffset[]): readonly unknown[] {
  return [
    bigints(offsets.map(({ symbol_id }) => symbol_id)),
    offsets.map(({ channel }) => channel),
    bigints(offsets.map(({ last_id }) => last_id)),
    bigints(offsets.map(({ last_fill_id }) => last_fill_id)),
    timestamps(offsets.map(({ ts_exchange }) => ts_exchange)),
    timestamps(offsets.map(({ ts_ingest }) => ts_ingest)),
    timestamps(offsets.map(({ began_ts }) => began_ts)),
    offsets.map(({ deaf_cause }) => deaf_cause),
    timestamps(offsets.map(({ lost_ts }) => lost_ts)),
    timestamps(offsets.map(({ lost_at }) => lost_at)),
    bigints(offsets.map(({ connection }) => connection)),
  ]
}

const OFFSET_TYPES = [
  'bigint',
  'text',
  'bigint',
  'bigint',
  'timestamptz',
  'timestamptz',
  'timestamptz',
  'text',
  'timestamptz',
  'timestamptz',
  'bigint',
]

/** `$1` is the ingestor; the columns are parameters from `first` on. */
function upsertOffsets(first: number): string {
  const columns = OFFSET_TYPES.map((type, index) => `$${first + index}::${type}[]`)
  return `insert into marketdata.stream_offsets
    (ingestor_id, symbol_id, channel, last_id, last_fill_id, ts_exchange, ts_ingest, began_ts,
      deaf_cause, lost_ts, lost_at, connection)
  select $1::text, symbol_id, channel, last_id, last_fill_id, ts_exchange, ts_ingest,
    began_ts, deaf_cause, lost_ts, lost_at, connection
  from unnest(${columns.join(', ')}) as o (symbol_id, channel, last_id, last_fill_id, ts_exchange,
    ts_ingest, began_ts, deaf_cause, lost_ts, lost_at, connection)
  on conflict (ingestor_id, symbol_id, channel) do update
  set last_id = excluded.last_id, last_fill_id = excluded.last_fill_id,
    ts_exchange = excluded.ts_exchange, ts_ingest = excluded.ts_ingest,
    began_ts = excluded.began_ts, deaf_cause = excluded.deaf_cause, lost_ts = excluded.lost_ts,
    lost_at = excluded.lost_at, connection = excluded.connection`
}

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
  )
  select (select count(*) from gap)::int as gap_count,
    (select count(*) from moved)::int as moved_count,
    (select count(*) from unnest($6::text[], $7::timestamptz[]) as added (table_name, lowest)
      join threshold using (table_name) where lowest < threshold)::int as late_count`

/**
 * The position was moved by a transaction of ours that seemed lost, or by a second ingestor with
 * the same id. Reading the position again shows which.
 */
function positionMoved(ingestor_id: string): OperatorError {
  return new OperatorError(
    'position_moved',
    `The tape position of ingestor ${ingestor_id} is not where this process left it.`,
    { hint: 'Give every running ingestor a unique INGESTOR_ID.', retryable: true },
  )
}
