/**
 * The gap ledger after an import: gaps that imported files fill are closed, and what the files lack
 * becomes gaps by cause `import`. Runs again whenever a file of the neighbouring days arrives.
 */
import type { Client } from '#core/node/pool.ts'
import type { RawChannel } from '#core/tables.ts'
import { micros, toIso } from '#core/time.ts'
import type { Edge, Missing } from './continuity.ts'

export interface ImportedFile {
  readonly symbol_id: number
  readonly channel: RawChannel
  /** Its days; exclusive end. */
  readonly from_ts: number
  readonly to_ts: number
  readonly first: Edge | undefined
  readonly last: Edge | undefined
  readonly missing: readonly Missing[]
  readonly ids_are_consecutive: boolean
  /** Of streams such as liquidations: silence says nothing. */
  readonly may_be_silent: boolean
}

/** A file that begins later, or ends earlier, than this is suspected not to be whole [us]. */
const EDGE_US = 300_000_000

export interface Edges {
  /** Newest event of the days before, and oldest of the days after, if they are known. */
  readonly before: Edge | undefined
  readonly after: Edge | undefined
}

export const NO_EDGES: Edges = { before: undefined, after: undefined }

/** What is missing in the file and between it and its neighbours. Ids count more than times. */
export function missingOf(file: ImportedFile, { before, after }: Edges): readonly Missing[] {
  const { from_ts, to_ts, first, last, missing, ids_are_consecutive, may_be_silent } = file
  if (first === undefined || last === undefined) {
    return may_be_silent ? [] : [{ from_ts, to_ts, from_id: null, to_id: null }]
  }
  const isLong = (span_us: number): boolean => !may_be_silent && span_us > EDGE_US
  const starts =
    ids_are_consecutive && before !== undefined
      ? between(before, first)
      : isLong(first.ts - from_ts)
        ? [{ from_ts, to_ts: first.ts, from_id: null, to_id: idOrNull(file, first) }]
        : []
  const ends =
    ids_are_consecutive && after !== undefined
      ? between(last, after)
      : isLong(to_ts - last.ts)
        ? [{ from_ts: last.ts, to_ts, from_id: idOrNull(file, last), to_id: null }]
        : []
  return [...starts, ...missing, ...ends]
}

function between(left: Edge, right: Edge): readonly Missing[] {
  if (left.id === null || right.id === null || right.id <= left.id + 1) return []
  const from_ts = Math.min(left.ts, right.ts)
  return [{ from_ts, to_ts: right.ts, from_id: left.id, to_id: right.id }]
}

function idOrNull({ ids_are_consecutive }: ImportedFile, { id }: Edge): number | null {
  return ids_are_consecutive ? id : null
}

/** From imported files of the neighbouring days. */
export async function selectEdges(
  client: Client,
  { symbol_id, channel, from_ts, to_ts, ids_are_consecutive }: ImportedFile,
  kind: string,
): Promise<Edges> {
  if (!ids_are_consecutive) return NO_EDGES
  const select = async (where: string, ts: number, order: string): Promise<Edge | undefined> => {
    const column = order === 'desc' ? 'last' : 'first'
    const { rows } = await client.query<{ ts: number; id: string | null }>(
      `select (extract(epoch from ${column}_ts) * 1000000)::float8 as ts, ${column}_id as id
       from marketdata.imports
       where symbol_id = $1 and table_name = $2 and kind = $3 and ${where} = $4
         and ${column}_ts is not null
       order by ${column}_ts ${order} limit 1`,
      [symbol_id, channel, kind, toIso(micros(ts))],
    )
    const [row] = rows
    return row && { ts: row.ts, id: row.id === null ? null : Number(row.id) }
  }
  return {
    before: await select('to_ts', from_ts, 'desc'),
    after: await select('from_ts', to_ts, 'asc'),
  }
}

/** Leaves out what was recorded in the meantime. Trades only; other streams have no counted ids. */
export async function selectStillMissing(
  client: Client,
  { symbol_id, channel }: ImportedFile,
  missing: readonly Missing[],
): Promise<readonly Missing[]> {
  if (channel !== 'trades') return missing
  const still: Missing[] = []
  for (const gap of missing) {
    const { from_ts, to_ts, from_id, to_id } = gap
    if (from_id !== null && to_id !== null) {
      const { rows } = await client.query<{ count: string }>(
        `select count(distinct agg_trade_id) from marketdata.trades
         where symbol_id = $1 and ts_exchange >= $2::timestamptz - interval '1 minute'
           and ts_exchange <= $3::timestamptz + interval '1 minute'
           and agg_trade_id > $4 and agg_trade_id < $5`,
        [symbol_id, toIso(micros(from_ts)), toIso(micros(to_ts)), from_id, to_id],
      )
      if (Number(rows[0]!.count) >= to_id - from_id - 1) continue
    }
    still.push(gap)
  }
  return still
}

/**
 * Replaces the gaps by cause `import` of the file's days, and those between it and its neighbours,
 * by `missing`. The caller's transaction also records the file. A gap that is settled stays in the
 * ledger as repaired.
 */
export async function writeGaps(
  client: Client,
  { symbol_id, channel, from_ts, to_ts }: Pick<ImportedFile, 'symbol_id' | 'channel' | Span>,
  { before, after }: Edges,
  missing: readonly Missing[],
  now: Date,
): Promise<void> {
  const iso = (ts: number | undefined): string | null =>
    ts === undefined ? null : toIso(micros(ts))
  // A day before that ended early, and one after that began late, are judged again by their ids.
  await client.query(
    `update marketdata.gaps set repaired_at = $7, repair_note = 'compared again by an import'
     where symbol_id = $1 and channel = $2 and cause = 'import' and repaired_at is null and (
       (from_ts >= $3 and from_ts < $4) or (from_ts < $3 and to_ts > $3)
       or (from_ts = $5 and to_ts = $3) or (from_ts = $4 and to_ts = $6)
     )`,
    [symbol_id, channel, iso(from_ts), iso(to_ts), iso(before?.ts), iso(after?.ts), now],
  )
  for (const gap of missing) {
    await client.query(
      // The ingestor asks the exchange for nothing that is due at infinity.
      `insert into marketdata.gaps
         (symbol_id, channel, from_ts, to_ts, from_id, to_id, cause, detected_at, repair_due_at)
       values ($1, $2, $3, $4, $5, $6, 'import', $7, 'infinity')
       on conflict on constraint gaps_identity_key
       do update set repaired_at = null, repair_note = null`,
      [symbol_id, channel, iso(gap.from_ts), iso(gap.to_ts), gap.from_id, gap.to_id, now],
    )
  }
}

type Span = 'from_ts' | 'to_ts'

/**
 * Closes the gaps of the recording that lie wholly in imported days, outside of what these lack.
 * `uncovered_hours`: starts of hours that the import left as they were [us].
 */
export async function closeGaps(
  client: Client,
  { symbol_id, channel, from_ts, to_ts }: Pick<ImportedFile, 'symbol_id' | 'channel' | Span>,
  uncovered_hours: readonly number[],
  file: string,
  now: Date,
): Promise<number> {
  const { rowCount } = await client.query(
    `update marketdata.gaps g
     set repaired_at = $3, repair_note = 'filled by ' || $7::text, repaired_count = (
       select count(*) from marketdata.${channel} t
       where t.symbol_id = $1 and t.ts_exchange > g.from_ts and t.ts_exchange < g.to_ts
     )
     where g.symbol_id = $1 and g.channel = $2 and g.repaired_at is null and g.cause <> 'import'
       and g.from_ts < $5 and g.to_ts > $4
       and (
         select range_agg(tstzrange(from_ts, to_ts, '[]')) from marketdata.imports
         where symbol_id = $1 and table_name = $2
       ) @> tstzrange(g.from_ts, g.to_ts, '[]')
       and not exists (
         select from marketdata.gaps i
         where i.symbol_id = $1 and i.channel = $2 and i.cause = 'import' and i.repaired_at is null
           and i.from_ts < g.to_ts and i.to_ts > g.from_ts
       )
       and not exists (
         select from unnest($6::timestamptz[]) as u (hour)
         where u.hour < g.to_ts and u.hour + interval '1 hour' > g.from_ts
       )`,
    [
      symbol_id,
      channel,
      now,
      toIso(micros(from_ts)),
      toIso(micros(to_ts)),
      uncovered_hours.map((hour) => toIso(micros(hour))),
      file,
    ],
  )
  return rowCount ?? 0
}
