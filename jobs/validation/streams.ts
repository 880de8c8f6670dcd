/** The streams that ought to be alive, with their newest rows. */
import type { Channel } from '#core/market.ts'
import type { Client } from '#core/node/pool.ts'
import { RAW_CHANNELS } from '#core/tables.ts'
import { HEARD_S, WINDOW_S } from './finding.ts'

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
  for (const channel of [...RAW_CHANNELS, 'prices'] as const) {
    const { rows } = await client.query<HeardStream>(
      channel === 'prices' ? PRICES_SQL : streamsSql(channel),
      [now, HEARD_S],
    )
    const is_steady = STEADY_CHANNELS.includes(channel)
    parts.push(
      ...rows.map((row) => ({
        ...row,
        channel,
        minute_count: is_steady ? row.minute_count : undefined,
      })),
    )
  }
  return parts
}

const heardSql = (channel: Channel): string => `
  select distinct s.id, s.exchange, s.symbol
  from marketdata.stream_offsets o
  join marketdata.symbols s on s.id = o.symbol_id
  where o.channel = '${channel}' and s.is_active and o.deaf_cause is distinct from 'delisted'
    ${MARKET_CHANNELS.includes(channel) ? 'and not s.may_rest' : ''}
    and o.ts_ingest > $1::timestamptz - make_interval(secs => $2)`

const streamsSql = (channel: Channel): string => `
  with heard as (${heardSql(channel)})
  select h.exchange, h.symbol, extract(epoch from $1::timestamptz - n.ts_exchange)::float8 as age_s,
    (
      select count(*)::int
      from generate_series(1, ${WINDOW_MINUTES}) as m
      where exists (
        select from marketdata.${channel}
        where symbol_id = h.id and ts_exchange >= $1::timestamptz - make_interval(mins => m)
          and ts_exchange < $1::timestamptz - make_interval(mins => m - 1)
      ) or not exists (
        select from marketdata.${channel}
        where symbol_id = h.id and ts_exchange < $1::timestamptz - make_interval(mins => m)
          and ts_exchange > $1::timestamptz - make_interval(secs => $2)
      )
    ) as minute_count
  from heard h
  left join lateral (
    select ts_exchange from marketdata.${channel}
    where symbol_id = h.id and ts_exchange > $1::timestamptz - make_interval(secs => $2)
    order by ts_exchange desc limit 1
  ) n on true
  order by h.exchange, h.symbol`

/** An index is a symbol; its prices stand under its name. */
const PRICES_SQL = `
  with heard as (${heardSql('prices')})
  select h.exchange, h.symbol, extract(epoch from $1::timestamptz - n.ts)::float8 as age_s,
    null as minute_count
  from heard h
  left join lateral (
    select "timestamp" as ts from marketdata.prices
    where ticker = h.symbol order by "timestamp" desc limit 1
  ) n on true
  order by h.exchange, h.symbol`
