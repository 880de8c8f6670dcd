/**
 * How far each symbol's signals are, and what sets them back: late trades, late or replaced books,
 * and changes of the gap ledger.
 *
 * Invariants
 * 1. Rows below a threshold that a run does not see are in the log of invalidations: the rollups
 *    raise that of trades before their watermark, and announceBooks that of books, before rows are
 *    read.
 * 2. An invalidation is deleted in the transaction that sets the symbol back.
 * 3. Rows are computed only from hours that are whole in Postgres, with their run-up. Older ones
 *    stay as they are; the dataset of their day is rebuilt from the archive.
 */
import { type Client, inTransaction, type Pool } from '#core/node/pool.ts'
import { RUN_UP_US } from '#core/signals/trade-signals.ts'
import { WALL_RUN_UP_US } from '#core/signals/wall-signals.ts'
import type { BlindSpan } from '#core/signals/window.ts'
import type { Exchange } from '#core/symbols.ts'
import { DAY_US, type Micros, micros, SECOND_US, toIso } from '#core/time.ts'

export interface TrackedSymbol {
  readonly symbol_id: number
  readonly exchange: Exchange
  readonly symbol: string
  readonly tick_size: number | null
  /** Undefined before the first run. */
  readonly progress: Progress | undefined
  /** Rows of trades and of books are whole from these times on. */
  readonly whole_from: { readonly trades: number; readonly books: number }
  /** How far rows can be computed; undefined: there is nothing yet. */
  readonly trades_end: Micros | undefined
  readonly books_end: Micros | undefined
  /** Open gaps of the trades that end after `gaps_from`. */
  readonly gaps: readonly BlindSpan[]
  readonly gaps_from: number
}

export interface Progress {
  readonly from_ts: Micros
  readonly trades_to: Micros
  readonly books_from: Micros
  readonly books_to: Micros
  /** What the rows were computed with. */
  readonly gaps: readonly BlindSpan[]
}

/** The longest bar. A symbol is set back to the beginning of one. */
const BAR_US = 300 * SECOND_US
/** Of gaps that still matter to a rewind. */
const GAPS_BACK_US = 2 * DAY_US

/** Start of the bar that holds the time. */
export function barStart(ts: number): Micros {
  return micros(Math.floor(ts / BAR_US) * BAR_US)
}

/** Makes writers log what they replace below these times. Call before books are read. */
export async function announceBooks(pool: Pool, to: Micros): Promise<void> {
  await pool.query("select marketdata.raise_invalidation_threshold('orderbook_topn', $1)", [
    toIso(to),
  ])
}

/** Times from which a symbol's signals have to be computed again, by symbol_id. */
interface SetBack {
  readonly trades_to: number
  readonly books_to: number
}

/** Sets symbols back to their earliest late row. Returns their ids. */
export async function rewindForLateRows(pool: Pool): Promise<readonly number[]> {
  return inTransaction(pool, async (client) => {
    const { rows } = await client.query<{ symbol_id: string; trades: number; books: number }>(
      `with taken as (
         delete from marketdata.invalidations where consumer = 'signals'
         returning symbol_id, table_name, (extract(epoch from lowest) * 1000000)::float8 as lowest
       )
       select symbol_id,
         coalesce(min(lowest) filter (where table_name = 'trades'), 'infinity') as trades,
         coalesce(min(lowest), 'infinity') as books
       from taken group by symbol_id order by symbol_id`,
    )
    const rewound: number[] = []
    for (const { symbol_id, trades, books } of rows) {
      const back = { trades_to: trades, books_to: books }
      if (await setBack(client, Number(symbol_id), back)) rewound.push(Number(symbol_id))
    }
    return rewound
  })
}

/** Sets the symbol back to the earliest gap that its rows were not computed with. */
export async function rewindForGaps(pool: Pool, of: TrackedSymbol): Promise<boolean> {
  const { progress, gaps, gaps_from, symbol_id } = of
  if (progress === undefined) return false
  const known = progress.gaps.filter(({ to_ts }) => to_ts >= gaps_from)
  const changed_from = firstChange(known, gaps)
  if (changed_from === undefined) return false
  return inTransaction(pool, async (client) => {
    await setBack(client, symbol_id, { trades_to: changed_from, books_to: changed_from })
    await client.query('update marketdata.signal_progress set gaps = $2 where symbol_id = $1', [
      symbol_id,
      JSON.stringify(gapsJson(gaps)),
    ])
    return true
  })
}

/** Returns false if the rows from there on were not computed yet. */
async function setBack(
  client: Client,
  symbol_id: number,
  { trades_to, books_to }: SetBack,
): Promise<boolean> {
  const time = (ts: number): string =>
    Number.isFinite(ts) ? toIso(barStart(ts)) : ts > 0 ? 'infinity' : '-infinity'
  const { rowCount } = await client.query(
    `update marketdata.signal_progress
     set trades_to = greatest(from_ts, least(trades_to, $2::timestamptz)),
       books_to = greatest(books_from, least(books_to, $3::timestamptz))
     where symbol_id = $1 and (trades_to > $2 or books_to > $3)`,
    [symbol_id, time(trades_to), time(books_to)],
  )
  return rowCount === 1
}

/** Start of the earliest span that only one of both lists has. */
function firstChange(old: readonly BlindSpan[], now: readonly BlindSpan[]): number | undefined {
  const key = ({ from_ts, to_ts }: BlindSpan): string => `${from_ts} ${to_ts}`
  const [before, after] = [new Set(old.map(key)), new Set(now.map(key))]
  const changed = [
    ...old.filter((gap) => !after.has(key(gap))),
    ...now.filter((gap) => !before.has(key(gap))),
  ]
  return changed.length === 0 ? undefined : Math.min(...changed.map(({ from_ts }) => from_ts))
}

export function gapsJson(
  gaps: readonly BlindSpan[],
): readonly (readonly [number, number | null])[] {
  return gaps.map(({ from_ts, to_ts }) => [from_ts, Number.isFinite(to_ts) ? to_ts : null])
}

/** The symbols with one of these names, on every exchange that has trades of them. */
export async function selectTracked(
  client: Client,
  symbols: readonly string[],
): Promise<readonly TrackedSymbol[]> {
  const { rows } = await client.query<TrackedRow>(TRACKED, [symbols])
  const tracked: TrackedSymbol[] = []
  for (const row of rows) {
    const end = row.trades_end
    const progress = progressOf(row)
    const gaps_from = Math.max(end - GAPS_BACK_US, progress?.from_ts ?? -Infinity) - RUN_UP_US
    tracked.push({
      symbol_id: Number(row.symbol_id),
      exchange: row.exchange,
      symbol: row.symbol,
      tick_size: row.tick_size,
      progress,
      whole_from: { trades: row.trades_from ?? -Infinity, books: row.topn_from ?? -Infinity },
      trades_end: Number.isFinite(end) ? micros(end) : undefined,
      books_end: row.books_end === null ? undefined : micros(Math.min(row.books_end, end)),
      gaps: await selectGaps(client, Number(row.symbol_id), gaps_from, end),
      gaps_from,
    })
  }
  return tracked
}

interface TrackedRow {
  readonly symbol_id: string
  readonly exchange: Exchange
  readonly symbol: string
  readonly tick_size: number | null
  readonly from_ts: number | null
  readonly trades_to: number
  readonly books_from: number
  readonly books_to: number
  readonly gaps: readonly (readonly [number, number | null])[]
  readonly trades_end: number
  readonly books_end: number | null
  readonly trades_from: number | null
  readonly topn_from: number | null
}

/** Every trade before the watermark of trade_1s is there, or will be logged as late. */
const TRACKED = `
  select s.id as symbol_id, s.exchange, s.symbol, s.tick_size,
    (extract(epoch from p.from_ts) * 1000000)::float8 as from_ts,
    (extract(epoch from p.trades_to) * 1000000)::float8 as trades_to,
    (extract(epoch from p.books_from) * 1000000)::float8 as books_from,
    (extract(epoch from p.books_to) * 1000000)::float8 as books_to,
    p.gaps,
    (extract(epoch from r.watermark) * 1000000)::float8 as trades_end,
    (extract(epoch from w.covered_to) * 1000000)::float8 as books_end,
    (extract(epoch from d.trades) * 1000000)::float8 as trades_from,
    (extract(epoch from d.books) * 1000000)::float8 as topn_from
  from marketdata.symbols s
  cross join marketdata.rollup_watermarks r
  left join marketdata.signal_progress p on p.symbol_id = s.id
  left join marketdata.orderbook_topn_watermarks w on w.symbol_id = s.id
  left join lateral (
    select max(hour) filter (where table_name = 'trades') + interval '1 hour' as trades,
      max(hour) + interval '1 hour' as books
    from marketdata.archive a
    where a.exchange = s.exchange and a.dropped_at is not null
      and table_name in ('trades', 'orderbook_topn', 'depth_events')
  ) d on true
  where s.symbol = any ($1) and r.rollup = 'trade_1s' and s.instrument_type is distinct from 'index'
  order by s.id`

function progressOf(row: TrackedRow): Progress | undefined {
  if (row.from_ts === null) return undefined
  return {
    from_ts: micros(row.from_ts),
    trades_to: micros(row.trades_to),
    books_from: micros(row.books_from),
    books_to: micros(row.books_to),
    gaps: row.gaps.map(([from_ts, to_ts]) => ({ from_ts, to_ts: to_ts ?? Infinity })),
  }
}

/** Open gaps that touch [from, end). */
async function selectGaps(
  client: Client,
  symbol_id: number,
  from: number,
  end: number,
): Promise<readonly BlindSpan[]> {
  if (!Number.isFinite(end)) return []
  const { rows } = await client.query<{ from_ts: number; to_ts: number | null }>(
    `select (extract(epoch from from_ts) * 1000000)::float8 as from_ts,
       (extract(epoch from to_ts) * 1000000)::float8 as to_ts
     from marketdata.gap_ledger
     where symbol_id = $1 and channel = 'trades' and repaired_at is null
       and (to_ts is null or to_ts >= $2) and from_ts < $3
     order by from_ts, to_ts`,
    [symbol_id, toIso(micros(from)), toIso(micros(end))],
  )
  return rows.map(({ from_ts, to_ts }) => ({ from_ts, to_ts: to_ts ?? Infinity }))
}

/** The span of a symbol's first run: yesterday and today, as far as rows are whole. */
export function firstSpan({
  trades_end,
  whole_from,
}: TrackedSymbol): { readonly trades: Micros; readonly books: Micros } | undefined {
  if (trades_end === undefined) return undefined
  const begin = trades_end - (trades_end % DAY_US) - DAY_US
  return {
    trades: computableFrom(begin, whole_from.trades, RUN_UP_US),
    books: computableFrom(begin, whole_from.books, WALL_RUN_UP_US),
  }
}

/**
 * The first bar from `begin` on whose run-up is whole. Nothing is looked at before a day, so at
 * midnight there is no run-up.
 */
export function computableFrom(begin: number, whole_from: number, run_up_us: number): Micros {
  if (begin >= whole_from + run_up_us) return barStart(begin)
  const midnight = Math.ceil(Math.max(begin, whole_from) / DAY_US) * DAY_US
  return micros(Math.min(midnight, barStart(whole_from + run_up_us + BAR_US - 1)))
}
