/** The streams that ought to be alive, with their newest rows. */
import type { Channel } from '#core/market.ts'
import { givingLocksBack, selectHourSpans } from '#core/node/hour-spans.ts'
import type { Client } from '#core/node/pool.ts'
import { RAW_CHANNELS, type RawChannel } from '#core/tables.ts'
import { micros, toIso } from '#core/time.ts'
import { before, HEARD_S, WINDOW_S } from './finding.ts'

export interface HeardStream {
  readonly channel: Channel
  readonly exchange: string
  readonly symbol: string
  /** Seconds since the ts_exchange of its newest row; null where it has none. */
  readonly age_s: number | null
  /**
   * Of the minutes of the window, those with a row of it, or before its first one; undefined where
   * none is expected.
   */
  readonly minute_count: number | undefined
}

/** Streams that speak every minute. Trades and liquidations may be silent for long. */
export const STEADY_CHANNELS: readonly Channel[] = ['book_ticker', 'depth_events', 'mark_price']
/** What is silent while a market is closed. */
const MARKET_CHANNELS: readonly Channel[] = ['book_ticker', 'trades', 'depth_events']
export const WINDOW_MINUTES = WINDOW_S / 60

/** Streams of active symbols that an ingestor has heard in the last day. `now`: ISO. */
export async function selectHeardStreams(
  client: Client,
  now: string,
): Promise<readonly HeardStream[]> {
  const parts: HeardStream[] = []
  for (const channel of RAW_CHANNELS) {
    const { rows: heard } = await client.query<Heard>(
      `${heardSql(channel)} order by s.exchange, s.symbol`,
      [now, HEARD_S],
    )
    const ages = await selectAges(client, channel, heard, now)
    const is_steady = STEADY_CHANNELS.includes(channel)
    const minutes = is_steady ? await countMinutes(client, channel, heard, now) : undefined
    for (const { id, exchange, symbol } of heard) {
      const age_s = ages.get(id) ?? null
      parts.push({ channel, exchange, symbol, age_s, minute_count: minutes?.get(id) })
    }
  }
  const { rows } = await client.query<Omit<HeardStream, 'channel' | 'minute_count'>>(PRICES_SQL, [
    now,
    HEARD_S,
  ])
  const prices = rows.map((row) => ({ ...row, channel: 'prices' as const, minute_count: undefined }))
  return [...parts, ...prices]
}

interface Heard {
  readonly id: string
  readonly exchange: string
  readonly symbol: string
}

/**
 * Seconds since the newest row of the last day, by symbol; the newest hours are looked at first.
 */
async function selectAges(
  client: Client,
  channel: RawChannel,
  heard: readonly Heard[],
  now: string,
): Promise<ReadonlyMap<string, number>> {
  const ages = new Map<string, number>()
  const from = micros(Date.parse(before(now, HEARD_S)) * 1_000)
  const spans = await selectHourSpans(client, [channel], from, Infinity)
  for (const span of spans.toReversed()) {
    const left = heard.flatMap(({ id }) => (ages.has(id) ? [] : [id]))
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

/** Minutes of the window with a row, or before the first row of the last day, by symbol. */
async function countMinutes(
  client: Client,
  channel: RawChannel,
  heard: readonly Heard[],
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
      [heard.map(({ id }) => id), now, before(now, WINDOW_S)],
    ),
  )
  const counts = new Map<string, number>()
  for (const { id, silent } of rows) {
    const late = silent.length === 0 ? 0 : await countBeforeFirst(client, channel, id, silent, now)
    counts.set(id, WINDOW_MINUTES - silent.length + late)
  }
  return counts
}

/** Of these minutes those that were over before the first row of the last day. */
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
    [channel, id, now, minutes, before(now, HEARD_S)],
  )
  return rows[0]!.n
}

const heardSql = (channel: Channel): string => `
  select distinct s.id, s.exchange, s.symbol
  from marketdata.stream_offsets o
  join marketdata.symbols s on s.id = o.symbol_id
  where o.channel = '${channel}' and s.is_active and coalesce(o.deaf_cause, '') not in ('delisted', 'operator')
    ${MARKET_CHANNELS.includes(channel) ? 'and not s.may_rest' : ''}
    and o.ts_ingest > $1::timestamptz - make_interval(secs => $2)`

/** An index is a symbol; its prices stand under its name. */
const PRICES_SQL = `
  with heard as (${heardSql('prices')})
  select h.exchange, h.symbol, extract(epoch from $1::timestamptz - n.ts)::float8 as age_s
  from heard h
  left join lateral (
    select "timestamp" as ts from marketdata.prices
    where ticker = h.symbol order by "timestamp" desc limit 1
  ) n on true
  order by h.exchange, h.symbol`
