/** Gaps of the recording that overlap [from, to), ordered by their start. */
import type { Channel, GapCause } from '#core/market.ts'
import { toIso, type Micros } from '#core/time.ts'
import type { Cursor } from '../tables/cursor.ts'
import type { Database } from './database.ts'

export interface GapRow {
  readonly id: number
  readonly exchange: string
  readonly symbol: string
  readonly channel: Channel
  readonly from_ts: Micros
  /** Null if the gap has not ended. */
  readonly to_ts: Micros | null
  readonly from_id: number | null
  readonly to_id: number | null
  readonly cause: GapCause
  readonly detected_at: Micros
  readonly repaired_count: number
  readonly repaired_at: Micros | null
  readonly repair_note: string | null
}

export interface GapsArgs {
  readonly from: Micros
  readonly to: Micros
  readonly exchange: string | null
  readonly symbol: string | null
  readonly channel: Channel | null
  readonly open: boolean | null
  readonly ended: boolean | null
  readonly after: Cursor | null
  readonly limit: number
}

const SQL = `
select g.id, s.exchange, s.symbol, g.channel, g.from_ts, g.to_ts, g.from_id, g.to_id, g.cause,
  g.detected_at, g.repaired_count, g.repaired_at, g.repair_note
from marketdata.gap_ledger g
join marketdata.symbols s on s.id = g.symbol_id
where (g.to_ts is null or g.to_ts >= $1::timestamptz) and g.from_ts < $2::timestamptz
  and ($3::text is null or s.exchange = $3)
  and ($4::text is null or s.symbol = $4)
  and ($5::text is null or g.channel = $5)
  and ($6::boolean is null or (g.repaired_at is null) = $6)
  and ($10::boolean is null or (g.to_ts is not null) = $10)
  and ($7::timestamptz is null or (g.from_ts, g.id) > ($7::timestamptz, $8::bigint))
order by g.from_ts, g.id
limit $9::int`

export function selectGaps(db: Database, args: GapsArgs): Promise<readonly GapRow[]> {
  const after_ts = args.after === null ? null : toIso(args.after[0])
  return db.query(SQL, [
    toIso(args.from),
    toIso(args.to),
    args.exchange,
    args.symbol,
    args.channel,
    args.open,
    after_ts,
    args.after?.[1] ?? null,
    args.limit,
    args.ended,
  ])
}
