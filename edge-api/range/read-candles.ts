/**
 * Candles of one instrument from hot and cold seconds. Postgres computes a candle if it has all its
 * seconds. A candle that includes a dropped hour is computed here, from the hour's file and from
 * the seconds that Postgres has.
 *
 * Invariants
 * 1. No second is missing: as in read-range.ts, the database is queried before the archive. This
 *    holds for the candles, and again for the seconds of the candles that are computed here.
 * 2. No second counts twice: a row from Postgres replaces the archive's row.
 * 3. A page ends when the read budget is used up, and `reached` says where the next one starts.
 */
import { HOUR_US, hourStart, micros, toIso, type Micros } from '#core/time.ts'
import { createBudget, LAKE_LIMITS, LakeBudgetError } from '../lake/budget.ts'
import { Problem } from '../problem.ts'
import type { ArchivedHourRow } from '../queries/archived-hours.ts'
import type { CandlesArgs } from '../queries/candles.ts'
import { columnOf, type Row } from '../tables/table.ts'
import { trade_seconds } from '../tables/tables.ts'
import { candleStart, SECOND_COLUMNS, SecondFold } from './fold-seconds.ts'
import { isAway } from './instruments.ts'
import { mergeRows } from './merge.ts'
import { coversAll, databaseAway, type RangeSources } from './read-range.ts'

export interface CandlesWanted extends Omit<CandlesArgs, 'symbol_id'> {
  /** Null if the database did not respond. */
  readonly symbol_id: number | null
  readonly exchange: string
  readonly symbol: string
}

export interface CandlePage {
  readonly rows: readonly Row[]
  /** All candles that begin before it are in `rows`. A multiple of the interval. */
  readonly reached: Micros
}

export type ReadCandles = (wanted: CandlesWanted) => Promise<CandlePage>

export interface CandleSources extends Omit<RangeSources, 'hot'> {
  candles(args: CandlesArgs): Promise<readonly Row[]>
  seconds: RangeSources['hot']
}

/** A page spans at most ten days: limits for hours from the database and days from the store. */
const HOURS_MAX = 250
const DAYS_MAX = 11
/** Concurrent fetches. A worker may have six connections open. */
const FILES_AT_ONCE = 3
const columns = SECOND_COLUMNS.map((name) => columnOf(trade_seconds, name))

export function createCandleReader(sources: CandleSources): ReadCandles {
  return async (wanted) => {
    const { from, to, limit } = wanted
    const hot = await readHot(sources, wanted)
    if (from >= hourStart(sources.now())) {
      if (hot.kind === 'away') throw hot.error
      return pageOf(wanted, hot.rows, to)
    }
    const listed = await coldHours(sources, wanted, hot)
    const spans = coldSpans(wanted, listed)
    if (hot.kind === 'rows' && spans.length === 0) return pageOf(wanted, hot.rows, to)
    const isCold = ({ ts }: Row): boolean =>
      spans.some((span) => span.from <= (ts as Micros) && (ts as Micros) < span.to)
    const hot_rows = hot.kind === 'rows' ? hot.rows : []
    const hot_to = hot_rows.length < limit ? to : next(wanted, hot_rows.at(-1)!)
    const cold = await readSpans(
      sources,
      wanted,
      spans.filter((span) => span.from < hot_to),
      hot.kind === 'away' ? listed : undefined,
    )
    const rows = [...hot_rows.filter((row) => !isCold(row)), ...cold.rows]
    const reached = micros(Math.min(hot_to, cold.reached))
    const in_order = rows.toSorted((a, b) => (a['ts'] as number) - (b['ts'] as number))
    return pageOf(
      wanted,
      in_order.filter(({ ts }) => (ts as Micros) < reached),
      reached,
    )
  }
}

type Hot =
  | { readonly kind: 'rows'; readonly rows: readonly Row[] }
  | { readonly kind: 'away'; readonly error: unknown }

async function readHot(sources: CandleSources, wanted: CandlesWanted): Promise<Hot> {
  const { symbol_id } = wanted
  if (symbol_id === null) return { kind: 'away', error: databaseAway() }
  try {
    return { kind: 'rows', rows: await sources.candles({ ...wanted, symbol_id }) }
  } catch (error) {
    if (isAway(error)) return { kind: 'away', error }
    throw error
  }
}

/** Hours that were dropped from Postgres. If it does not respond, all archived hours. */
async function coldHours(
  sources: CandleSources,
  { exchange, from, to }: CandlesWanted,
  hot: Hot,
): Promise<readonly ArchivedHourRow[]> {
  if (hot.kind === 'rows') return droppedHours(sources, { exchange, from, to })
  const args = { exchange, table_name: 'trade_1s', from, to } as const
  const hours = await sources.archivedHoursOfStore({ ...args, day_count_max: DAYS_MAX })
  if (!coversAll(hours, from, to)) throw hot.error
  return hours
}

async function droppedHours(
  sources: CandleSources,
  { exchange, from, to }: Pick<CandlesWanted, 'exchange' | 'from' | 'to'>,
): Promise<readonly ArchivedHourRow[]> {
  const args = { exchange, table_name: 'trade_1s', from, to, limit: HOURS_MAX } as const
  return (await sources.archivedHours(args)).filter(({ is_dropped }) => is_dropped)
}

interface Span {
  readonly from: Micros
  readonly to: Micros
}

/** Spans of whole candles that the hours belong to. Adjacent candles form one span. */
function coldSpans(
  { interval_us, from, to }: CandlesWanted,
  hours: readonly ArchivedHourRow[],
): readonly Span[] {
  const spans: { from: Micros; to: Micros }[] = []
  for (const { hour } of hours) {
    const begin = candleStart(Math.max(hour, from), interval_us)
    const last = candleStart(Math.min(hour + HOUR_US, to) - 1, interval_us)
    const end = micros(last + interval_us)
    const before = spans.at(-1)
    if (before !== undefined && begin <= before.to) before.to = end
    else spans.push({ from: begin, to: end })
  }
  return spans
}

async function readSpans(
  sources: CandleSources,
  wanted: CandlesWanted,
  spans: readonly Span[],
  /** The archived hours if Postgres does not respond; undefined if it does. */
  listed: readonly ArchivedHourRow[] | undefined,
): Promise<CandlePage> {
  const { interval_us, limit, from, to } = wanted
  const budget = createBudget(LAKE_LIMITS)
  const rows: Row[] = []
  for (const span of spans) {
    const late = listed === undefined ? await readLate(sources, wanted, span) : []
    // Listed again: hours that were dropped since the first query must come from their files.
    const hours =
      listed === undefined
        ? await droppedHours(sources, { ...wanted, ...span })
        : listed.filter(({ hour }) => hour + HOUR_US > span.from && hour < span.to)
    const fold = new SecondFold(interval_us)
    const read = (hour: ArchivedHourRow): Promise<readonly Row[]> => {
      const { symbol } = wanted
      const args = { table: trade_seconds, columns, symbol, ...span, after: null, limit: Infinity }
      return sources.symbolHour(hour, args, budget)
    }
    let late_from = 0
    const lateBefore = (end: number): readonly Row[] => {
      const part = late.slice(late_from).filter((row) => (row['bucket'] as number) < end)
      late_from += part.length
      return part
    }
    for (let at = 0; at < hours.length; at += FILES_AT_ONCE) {
      const batch = hours.slice(at, at + FILES_AT_ONCE)
      const reached = candleStart(batch[0]!.hour, interval_us)
      try {
        const found = await Promise.all(batch.map(read))
        for (const [i, seconds] of found.entries()) {
          const end = batch[i]!.hour + HOUR_US
          fold.add(lateBefore(batch[i]!.hour))
          fold.add(mergeRows(trade_seconds, lateBefore(end), seconds))
        }
      } catch (error) {
        if (!(error instanceof LakeBudgetError)) throw error
        if (reached <= from) throw tooMuch(wanted, error.message)
        rows.push(...fold.candles())
        return { rows, reached }
      }
      const last = rows.length + fold.candles().length
      if (last > limit) break
    }
    fold.add(lateBefore(Infinity))
    rows.push(...fold.candles())
    if (rows.length > limit) return { rows, reached: rows[limit]!['ts'] as Micros }
  }
  return { rows, reached: to }
}

/** Seconds of the span that Postgres has: never dropped, or computed again from late rows. */
function readLate(
  sources: CandleSources,
  { symbol_id }: CandlesWanted,
  { from, to }: Span,
): Promise<readonly Row[]> {
  return sources.seconds({
    table: trade_seconds,
    columns: SECOND_COLUMNS,
    symbol_id: symbol_id!,
    from,
    to,
    after: null,
    limit: (to - from) / 1_000_000,
  })
}

function pageOf({ limit }: CandlesWanted, rows: readonly Row[], reached: Micros): CandlePage {
  if (rows.length < limit) return { rows, reached }
  const page = rows.slice(0, limit)
  return { rows: page, reached }
}

function next({ interval_us }: CandlesWanted, row: Row): Micros {
  return micros((row['ts'] as Micros) + interval_us)
}

function tooMuch({ from, to }: CandlesWanted, what: string): Problem {
  return new Problem(
    400,
    'range_too_large',
    'The range is too large for one answer.',
    `A candle in ${toIso(from)} to ${toIso(to)} would read ${what}. Request a shorter interval. ` +
      '/v1/datasets/candles has whole days as files.',
  )
}
