/**
 * Coverage of an instrument's streams in [from, to): first and last row in the database, the number
 * of archived hours of the exchange, and the known gaps, clipped to the range. Overlapping gaps
 * count once.
 */
import type { Channel } from '#core/market.ts'
import { RAW_CHANNELS } from '#core/tables.ts'
import { toIso, type Micros } from '#core/time.ts'
import type { Database } from './database.ts'

export interface CoverageRow {
  readonly channel: Channel
  /** First row in the database; null if it has none in the range. */
  readonly hot_first_ts: Micros | null
  readonly hot_last_ts: Micros | null
  readonly archived_hour_count: number
  readonly gap_count: number
  readonly open_gap_count: number
  /** Open gaps that have not ended: the stream is not being received now. */
  readonly unended_gap_count: number
  /** Seconds of the range that are inside an open gap. */
  readonly missing_s: number
}

export interface CoverageArgs {
  readonly symbol_id: number
  readonly exchange: string
  readonly from: Micros
  readonly to: Micros
}

const edge = (channel: string, is_newest: boolean): string =>
  `marketdata.nearest_ts('${channel}', $1, $2::timestamptz, $3::timestamptz, ${is_newest})`

const STREAMS = RAW_CHANNELS.map(
  (channel) =>
    `select '${channel}' as channel, hot_first_ts,
      case when hot_first_ts is not null then ${edge(channel, true)} end as hot_last_ts
    from (select ${edge(channel, false)} as hot_first_ts offset 0) first`,
).join('\n  union all ')

const SQL = `
with streams as (
  ${STREAMS}
), gaps as (
  -- After a delisting there is nothing to record, so nothing is missing.
  select channel, repaired_at is null and (to_ts is not null or cause <> 'delisted') as is_open,
    to_ts is null and cause <> 'delisted' as is_unended,
    tstzrange(greatest(from_ts, $2::timestamptz), least(to_ts, $3::timestamptz)) as span
  from marketdata.gap_ledger
  where symbol_id = $1 and (to_ts is null or to_ts > $2::timestamptz) and from_ts < $3::timestamptz
)
select channel, hot_first_ts, hot_last_ts,
  (select count(distinct hour) from marketdata.archive a
   where a.exchange = $4 and a.table_name = channel
     and hour > $2::timestamptz - interval '1 hour' and hour < $3::timestamptz) as archived_hour_count,
  (select count(*) from gaps g where g.channel = s.channel) as gap_count,
  (select count(*) from gaps g where g.channel = s.channel and is_open) as open_gap_count,
  (select count(*) from gaps g where g.channel = s.channel and is_unended) as unended_gap_count,
  (select coalesce(extract(epoch from sum(upper(part) - lower(part))), 0)::double precision
   from (select unnest(range_agg(span)) as part from gaps g where g.channel = s.channel and is_open) p
  ) as missing_s
from streams s`

export function selectCoverage(db: Database, args: CoverageArgs): Promise<readonly CoverageRow[]> {
  return db.query(SQL, [args.symbol_id, toIso(args.from), toIso(args.to), args.exchange])
}
