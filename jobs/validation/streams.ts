/** Streams that should be recorded now, with the age of their newest rows. */
import type { Channel } from '#core/market.ts'
import { givingLocksBack, selectHourSpans } from '#core/node/hour-spans.ts'
import type { Client } from '#core/node/pool.ts'
import { RAW_CHANNELS, type RawChannel } from '#core/tables.ts'
import { micros, toIso } from '#core/time.ts'
import { before, RECORDED_S, WINDOW_S } from './checked.ts'

export interface RecordedStream {
  readonly channel: Channel
  readonly exchange: string
  readonly symbol: string
  /** Seconds since ts_exchange of its newest row; null if it has no row. */
  readonly age_s: number | null
  /**
   * Minutes of the window that have a row or are before the stream's first row; undefined if the
   * stream need not have a row every minute.
   */
  readonly minute_count: number | undefined
}

/** Streams with events every minute. Trades and liquidations may be silent for long. */
export const STEADY_CHANNELS: readonly Channel[] = ['book_ticker', 'depth_events', 'mark_price']
/** Streams that are silent while a market is closed. */
const MARKET_CHANNELS: readonly Channel[] = ['book_ticker', 'trades', 'depth_events']
export const WINDOW_MINUTES = WINDOW_S / 60

/** Streams of active symbols that were recorded in the last day. `now`: ISO. */
export async function selectRecordedStreams(
  client: Client,
  now: string,
): Promise<readonly RecordedStream[]> {
  const parts: RecordedStream[] = []
  for (const channel of RAW_CHANNELS) {
    const { rows: recorded } = await client.query<RecordedSymbol>(
      `${recordedSql(channel)} order by s.exchange, s.symbol`,
      [now, RECORDED_S],
    )
    const ages = await selectAges(client, channel, recorded, now)
    const is_steady = STEADY_CHANNELS.includes(channel)
    const minutes = is_steady ? await countMinutes(client, channel, recorded, now) : undefined
    for (const { id, exchange, symbol } of recorded) {
      const age_s = ages.get(id) ?? null
      parts.push({ channel, exchange, symbol, age_s, minute_count: minutes?.get(id) })
    }
  }
  const { rows } = await client.query<Omit<RecordedStream, 'channel' | 'minute_count'>>(
    PRICES_SQL,
    [now, RECORDED_S],
  )
  const prices = rows.map((row) => ({
    ...row,
    channel: 'prices' as const,
    minute_count: undefined,
  }))
  return [...parts, ...prices]
}

interface RecordedSymbol {
  readonly id: string
  readonly exchange: string
  readonly symbol: string
}

/** Age of the newest row of the last day by symbol [s]. Queries the newest hours first. */
async function selectAges(
  client: Client,
  channel: RawChannel,
  recorded: readonly RecordedSymbol[],
  now: string,
): Promise<ReadonlyMap<string, number>> {
  const ages = new Map<string, number>()
  const from = micros(Date.parse(before(now, RECORDED_S)) * 1_000)
  const spans = await selectHourSpans(client, [channel], from, Infinity)
  for (const span of spans.toReversed()) {
    const left = recorded.flatMap(({ id }) => (ages.has(id) ? [] : [id]))
    if (left.length === 0) break
    const { rows } = await givingLocksBack(client, () =>
      client.query<{ id: string; age_s: number }>(
        `select h.id, extract(epoch from $4::timestamptz - n.ts_exchange)::float8 as age_s
         from unnest($1::bigint[]) as h (id)
         cross join lateral (
           select ts_exchange from marketdata.${channel}
           where symbol_id = h.id and ts_exchange >= $2 and ts_exchange < $3
           order by ts_exchange desc limit 1
         ) n`,
        [left, toIso(span.from), toIso(span.to), now],
      ),
    )
    for (const { id, age_s } of rows) ages.set(id, age_s)
  }
  return ages
}

/** By symbol, minutes of the window with a row or before the first row of the last day. */
async function countMinutes(
  client: Client,
  channel: RawChannel,
  recorded: readonly RecordedSymbol[],
  now: string,
): Promise<ReadonlyMap<string, number>> {
  const { rows } = await givingLocksBack(client, () =>
    client.query<{ id: string; silent: readonly number[] }>(
      `select h.id, array(
         select m from generate_series(1, ${WINDOW_MINUTES}) as m
         where not exists (
           select from marketdata.${channel}
           where symbol_id = h.id and ts_exchange >= $3 and ts_exchange < $2
             and ts_exchange >= $2::timestamptz - make_interval(mins => m)
             and ts_exchange < $2::timestamptz - make_interval(mins => m - 1)
         )
       ) as silent
       from unnest($1::bigint[]) as h (id)`,
      [recorded.map(({ id }) => id), now, before(now, WINDOW_S)],
    ),
  )
  const counts = new Map<string, number>()
  for (const { id, silent } of rows) {
    const late = silent.length === 0 ? 0 : await countBeforeFirst(client, channel, id, silent, now)
    counts.set(id, WINDOW_MINUTES - silent.length + late)
  }
  return counts
}

/** How many of these minutes ended before the first row of the last day. */
async function countBeforeFirst(
  client: Client,
  channel: RawChannel,
  id: string,
  minutes: readonly number[],
  now: string,
): Promise<number> {
  const { rows } = await client.query<{ n: number }>(
    `select count(*) filter (
       where first_ts is null or first_ts >= $3::timestamptz - make_interval(mins => m))::int as n
     from unnest($4::int[]) as m,
       (select marketdata.nearest_ts($1, $2, $5, $3, false) as first_ts offset 0) f`,
    [channel, id, now, minutes, before(now, RECORDED_S)],
  )
  return rows[0]!.n
}

const recordedSql = (channel: Channel): string => `
  select distinct s.id, s.exchange, s.symbol
  from marketdata.stream_offsets o
  join marketdata.symbols s on s.id = o.symbol_id
  where o.channel = '${channel}' and s.is_active and coalesce(o.deaf_cause, '') not in ('delisted', 'operator')
    ${MARKET_CHANNELS.includes(channel) ? 'and not s.may_rest' : ''}
    and o.ts_ingest > $1::timestamptz - make_interval(secs => $2)`

/** An index is a symbol; its prices are stored under its name. */
const PRICES_SQL = `
  with recorded as (${recordedSql('prices')})
  select h.exchange, h.symbol, extract(epoch from $1::timestamptz - n.ts)::float8 as age_s
  from recorded h
  left join lateral (
    select "timestamp" as ts from marketdata.prices
    where ticker = h.symbol order by "timestamp" desc limit 1
  ) n on true
  order by h.exchange, h.symbol`
