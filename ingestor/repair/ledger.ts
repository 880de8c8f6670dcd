/**
 * Repair's access to the gap ledger: which gaps are due, what is still missing from the tables, and
 * how an attempt ended. SQL only; repairer.ts decides what to do.
 */
import type { QueryResultRow } from 'pg'
import type { Client } from '#core/node/pool.ts'
import type { Exchange } from '#core/symbols.ts'
import { type Micros, micros, SECOND_US, toIso } from '#core/time.ts'
import { withinCommitLimit } from '../writer/session.ts'

/** An open gap in a trade stream, between the ids of its neighbours. */
export interface TradeGap {
  readonly gap_id: number
  readonly symbol: string
  readonly symbol_id: number
  /** Null if the stream was lost before its first event. */
  readonly from_id: number | null
  readonly to_id: number | null
  readonly from_ts: Micros
  readonly to_ts: Micros
  readonly repair_attempts: number
}

/** The ids between two known ones. Neither end is missing. */
export interface MissingRange {
  readonly after_id: number
  readonly before_id: number
}

export interface Missing {
  /** Number of missing ids, even if `ranges` is cut short. */
  readonly count: number
  /** Trades that are stored between the gap's ends. */
  readonly stored_count: number
  /** Ascending, at most RANGES_MAX. */
  readonly ranges: readonly MissingRange[]
}

/** The outcome of an attempt, as written to the ledger. */
export interface Verdict {
  readonly is_closed: boolean
  /** Trades inside the gap that are stored now. */
  readonly repaired_count: number
  readonly repair_note: string | null
  readonly repair_attempts: number
  /** When the gap is due again. Undefined: at once. */
  readonly due_at: Micros | 'never' | undefined
}

export interface Recorded {
  readonly exchange: Exchange
  readonly symbols: readonly string[]
}

const RANGES_MAX = 10_000
/** Event times of one stream may go back a little, so we look this far outside the gap's times. */
const TIME_MARGIN_US = 60 * SECOND_US

/** Open gaps of trades that are due, newest first. */
export async function selectDueGaps(
  client: Client,
  { exchange, symbols }: Recorded,
  now: Micros,
  limit: number,
): Promise<readonly TradeGap[]> {
  const { rows } = await ask<GapRow>(
    client,
    `${SELECT_GAP} and s.exchange = $2 and s.symbol = any($3::text[])
      order by g.to_ts desc, g.id desc limit $4`,
    [toIso(now), exchange, symbols, limit],
  )
  return rows.map(gapOf)
}

/**
 * Runs `work` while no other ingestor can repair this gap. Returns undefined if another one is
 * repairing it, or if it is no longer due. The lock ends with the connection, so a crash leaves
 * nothing locked.
 */
export async function withClaim<T>(
  client: Client,
  gap_id: number,
  now: Micros,
  work: (gap: TradeGap) => Promise<T>,
): Promise<T | undefined> {
  const { rows } = await ask<{ is_ours: boolean }>(
    client,
    `select pg_try_advisory_lock(${LOCK_KEY}) as is_ours`,
    [gap_id],
  )
  if (rows[0]?.is_ours !== true) return undefined
  try {
    const due = await ask<GapRow>(client, `${SELECT_GAP} and g.id = $2`, [toIso(now), gap_id])
    return due.rows[0] === undefined ? undefined : await work(gapOf(due.rows[0]))
  } finally {
    // If this fails, the connection is gone and the lock with it.
    await ask(client, `select pg_advisory_unlock(${LOCK_KEY})`, [gap_id]).catch(() => undefined)
  }
}

type LocatedGap = TradeGap & { readonly from_id: number; readonly to_id: number }

/** All open gaps of trades between two ids, due or not. */
export async function selectLocatedGaps(client: Client): Promise<readonly LocatedGap[]> {
  const { rows } = await ask<GapRow>(client, `${SELECT_GAP} and g.to_id > g.from_id`, ['infinity'])
  return rows.map((row) => gapOf(row) as LocatedGap)
}

/** The ids of the gap that have no row. */
export async function selectMissing(client: Client, gap: LocatedGap): Promise<Missing> {
  const { rows } = await ask<{
    after_id: string | null
    before_id: string | null
    missing: string
    stored: string
  }>(client, SELECT_MISSING, [
    gap.from_id,
    gap.to_id,
    gap.symbol_id,
    toIso(micros(gap.from_ts - TIME_MARGIN_US)),
    toIso(micros(gap.to_ts + TIME_MARGIN_US + 1)),
    RANGES_MAX,
  ])
  return {
    count: Number(rows[0]!.missing),
    stored_count: Number(rows[0]!.stored),
    ranges: rows.flatMap(({ after_id, before_id }) =>
      after_id === null || before_id === null
        ? []
        : [{ after_id: Number(after_id), before_id: Number(before_id) }],
    ),
  }
}

export async function writeVerdict(
  client: Client,
  gap_id: number,
  verdict: Verdict,
  now: Micros,
): Promise<void> {
  const { due_at } = verdict
  await ask(
    client,
    `update marketdata.gaps
      set repair_attempts = $2, repair_tried_at = $3, repaired_count = $4, repair_note = $5,
        repair_due_at = $6, repaired_at = case when $7::boolean then $3::timestamptz end
      where id = $1 and repaired_at is null`,
    [
      gap_id,
      verdict.repair_attempts,
      toIso(now),
      verdict.repaired_count,
      verdict.repair_note,
      due_at === 'never' ? 'infinity' : due_at === undefined ? null : toIso(due_at),
      verdict.is_closed,
    ],
  )
}

export interface LedgerCounts {
  readonly gaps_open: number
  readonly gaps_repaired: number
}

/** Counts the gaps of these symbols, on every channel, detected since `since`. */
export async function countGaps(
  client: Client,
  { exchange, symbols }: Recorded,
  since: Micros,
): Promise<LedgerCounts> {
  const { rows } = await ask<LedgerCounts>(
    client,
    `select (count(*) filter (where g.repaired_at is null))::int as gaps_open,
        count(g.repaired_at)::int as gaps_repaired
      from marketdata.gaps g join marketdata.symbols s on s.id = g.symbol_id
      where g.detected_at >= $1 and s.exchange = $2 and s.symbol = any($3::text[])
        and g.cause not in ('operator', 'import')`,
    [toIso(since), exchange, symbols],
  )
  return rows[0]!
}

/** A trade stream without an event since it was lost, and where its gap begins. */
export interface OpenEnd {
  readonly symbol: string
  /** Null if it never had an event; then `ts_exchange` is the time of the subscription. */
  readonly last_id: number | null
  readonly ts_exchange: Micros
  /** Exchange time up to which it was certainly covered. */
  readonly lost_ts: Micros
}

/**
 * The symbols whose trade stream is still lost, as of the last commit of this ingestor. The column
 * `deaf_cause` says why a stream is lost. What the operator left out is not requested.
 */
export async function selectOpenEnds(
  client: Client,
  ingestor_id: string,
  { exchange, symbols }: Recorded,
): Promise<readonly OpenEnd[]> {
  const { rows } = await ask<OpenEndRow>(
    client,
    `select s.symbol, o.last_id, (extract(epoch from o.ts_exchange) * 1000000)::bigint as ts_us,
        (extract(epoch from coalesce(o.lost_ts, o.ts_exchange)) * 1000000)::bigint as lost_us
      from marketdata.stream_offsets o join marketdata.symbols s on s.id = o.symbol_id
      where o.ingestor_id = $1 and o.channel = 'trades' and o.deaf_cause is not null
        and o.deaf_cause not in ('delisted', 'operator') and s.exchange = $2 and s.symbol = any($3::text[])`,
    [ingestor_id, exchange, symbols],
  )
  return rows.map(({ symbol, last_id, ts_us, lost_us }) => ({
    symbol,
    last_id: last_id === null ? null : Number(last_id),
    ts_exchange: micros(Number(ts_us)),
    lost_ts: micros(Number(lost_us)),
  }))
}

interface OpenEndRow {
  readonly symbol: string
  readonly last_id: string | null
  readonly ts_us: string
  readonly lost_us: string
}

/** A statement that hangs has lost its server: it rejects and the connection is dropped. */
function ask<Row extends QueryResultRow>(client: Client, sql: string, values: readonly unknown[]) {
  return withinCommitLimit(client.query<Row>(sql, [...values]))
}

interface GapRow {
  readonly gap_id: string
  readonly symbol: string
  readonly symbol_id: string
  readonly from_id: string | null
  readonly to_id: string | null
  readonly from_us: string
  readonly to_us: string
  readonly repair_attempts: number
}

function gapOf(row: GapRow): TradeGap {
  return {
    gap_id: Number(row.gap_id),
    symbol: row.symbol,
    symbol_id: Number(row.symbol_id),
    from_id: row.from_id === null ? null : Number(row.from_id),
    to_id: row.to_id === null ? null : Number(row.to_id),
    from_ts: micros(Number(row.from_us)),
    to_ts: micros(Number(row.to_us)),
    repair_attempts: row.repair_attempts,
  }
}

const LOCK_KEY = "hashtextextended('booktape.repair', $1::bigint)"

const SELECT_GAP = `select g.id as gap_id, s.symbol, g.symbol_id, g.from_id, g.to_id,
    (extract(epoch from g.from_ts) * 1000000)::bigint as from_us,
    (extract(epoch from g.to_ts) * 1000000)::bigint as to_us,
    g.repair_attempts
  from marketdata.gaps g join marketdata.symbols s on s.id = g.symbol_id
  where g.repaired_at is null and g.channel = 'trades'
    and (g.repair_due_at is null or g.repair_due_at <= $1::timestamptz)`

// An id that the exchange skipped is not missing if the fills before and after it are consecutive.
const SELECT_MISSING = `with known as (
    select id, min(first_fill) as first_fill, max(last_fill) as last_fill, sum(row_count) as row_count
    from (
      select agg_trade_id, first_trade_id, last_trade_id, 1
      from marketdata.trade_ids($3, $4::timestamptz, $5::timestamptz, $1::bigint, $2::bigint)
      union all values ($1::bigint, null::bigint, null::bigint, 0), ($2::bigint, null, null, 0)
    ) as row (id, first_fill, last_fill, row_count)
    group by id
  ), steps as (
    select id as after_id, last_fill, lead(id) over by_id as before_id,
      lead(first_fill) over by_id as next_fill
    from known window by_id as (order by id)
  ), missing as (
    select after_id, before_id from steps
    where before_id > after_id + 1 and (next_fill = last_fill + 1) is not true
  )
  select after_id, before_id,
    (select coalesce(sum(before_id - after_id - 1), 0) from missing) as missing,
    (select coalesce(sum(row_count), 0) from known where id > $1::bigint and id < $2::bigint) as stored
  from (values (1)) as one left join missing on true
  order by after_id limit $6`
