/** Gaps of the recording, from the gap ledger. */
import type { Pool } from '#core/node/pool.ts'
import { type Day, dayRange, toIso } from '#core/time.ts'
import type { GapsView, GapView, Snapshot } from '../wire.ts'
import { select } from './read.ts'

const GAPS_MAX = 5_000
const SYMBOL_GAPS_MAX = 100

const COLUMNS = `g.id::text as id, s.exchange, s.symbol, g.channel, g.cause, g.from_ts, g.to_ts,
  g.repaired_at is not null as is_repaired, g.repaired_count::float8 as repaired_count,
  g.repair_note as note, g.ingestor_id
  from marketdata.gap_ledger g join marketdata.symbols s on s.id = g.symbol_id`
/** These causes are not faults: an operator or the exchange ended the stream. */
const IS_FAULT = `cause not in ('delisted', 'operator')`

/** Gaps that overlap the day, oldest first. */
export async function selectDayGaps(pool: Pool, date: Day): Promise<GapsView> {
  const { from, to } = dayRange(date)
  const rows = await select<GapView>(
    pool,
    `select ${COLUMNS}
     where g.from_ts < $2 and (g.to_ts is null or g.to_ts >= $1)
     order by g.from_ts, g.id limit ${GAPS_MAX + 1}`,
    [toIso(from), toIso(to)],
  )
  return { date, gaps: rows.slice(0, GAPS_MAX), is_cut: rows.length > GAPS_MAX }
}

/** The newest gaps of one symbol, newest first. */
export function selectSymbolGaps(
  pool: Pool,
  exchange: string,
  symbol: string,
): Promise<readonly GapView[]> {
  return select<GapView>(
    pool,
    `select ${COLUMNS} where s.exchange = $1 and s.symbol = $2
     order by g.from_ts desc, g.id desc limit ${SYMBOL_GAPS_MAX}`,
    [exchange, symbol],
  )
}

export async function countGaps(pool: Pool): Promise<NonNullable<Snapshot['gaps']>> {
  const [row] = await select<NonNullable<Snapshot['gaps']>>(
    pool,
    `select count(*) filter (where to_ts is null and ${IS_FAULT})::int as unended,
       count(*) filter (where to_ts is not null and repaired_at is null and ${IS_FAULT})::int
         as unrepaired_24h
     from marketdata.gap_ledger
     where to_ts is null or detected_at > now() - interval '1 day'`,
  )
  return row!
}
