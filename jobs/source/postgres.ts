/**
 * A day's events from the raw tables in Postgres, as one consistent view: everything is read in
 * one repeatable-read transaction that only reads. Rows come by binary COPY, one symbol after
 * another in the order of the primary key, so that Postgres neither sorts nor scans other days.
 */
import copyStreams from 'pg-copy-streams'
import type { Channel, GapCause } from '#core/market.ts'
import type { Client, Pool } from '#core/node/pool.ts'
import type { Exchange } from '#core/symbols.ts'
import { DAY_US, dayRange, micros, toIso, type Day } from '#core/time.ts'
import { copyRows, readInt8, readMicros, type CopyRows, type Widths } from './copy-decoder.ts'
import type { CarriedQuote, DaySource, DaySymbol, QuoteChunk, TradeChunk } from './source.ts'
import type { StreamGap } from '../features/gaps.ts'

const CHUNK_ROWS = 8_192
/** A single statement that takes longer than this has met something that is broken. */
const STATEMENT_LIMIT = '15min'
/** The transaction holds back vacuum: a build that stops asking must let go of it. */
const IDLE_LIMIT = '5min'

interface DayQuery {
  readonly client: Client
  /** ISO texts made from numbers, safe inside SQL. */
  readonly before: string
  readonly from: string
  readonly to: string
}

/** Opens the view, hands it to `use`, and closes it. */
export async function withPostgresDay<T>(
  pool: Pool,
  day: Day,
  use: (source: DaySource) => Promise<T>,
): Promise<T> {
  const client = await pool.connect()
  try {
    await client.query('begin isolation level repeatable read read only')
    await client.query(`set local statement_timeout = '${STATEMENT_LIMIT}'`)
    await client.query(`set local idle_in_transaction_session_timeout = '${IDLE_LIMIT}'`)
    // A partition without statistics looks small enough to be sorted. It is read in index order.
    for (const way of ['seqscan', 'bitmapscan', 'sort']) {
      await client.query(`set local enable_${way} = off`)
    }
    const result = await use(await openDay(client, day))
    await client.query('commit')
    client.release()
    return result
  } catch (error) {
    // A COPY that was left in the middle cannot be ended politely: its connection goes.
    client.release(true)
    throw error
  }
}

async function openDay(client: Client, day: Day): Promise<DaySource> {
  const { from, to } = dayRange(day)
  const before = toIso(micros(from - DAY_US))
  const query: DayQuery = { client, before, from: toIso(from), to: toIso(to) }
  return {
    symbols: await selectSymbols(query),
    quotes: (symbol) => readQuotes(query, symbol),
    trades: (symbol) => readTrades(query, symbol),
    quoteBefore: (symbol) => selectQuoteBefore(query, symbol),
    gaps: (symbol, channel) => selectGaps(query, symbol, channel),
  }
}

/** Days that have any event, newest first, at most `limit`. */
export async function selectDaysWithData(pool: Pool, limit: number): Promise<readonly Day[]> {
  const { rows } = await pool.query<{ day: Day }>(
    `select to_char(d.day at time zone 'UTC', 'YYYY-MM-DD') as day
     from (
       select distinct
         to_timestamp(substring(p.relname from '_([0-9]{8})[0-9]{2}$'), 'YYYYMMDD') as day
       from pg_inherits i join pg_class p on p.oid = i.inhrelid
       where i.inhparent in ('marketdata.book_ticker'::regclass, 'marketdata.trades'::regclass)
     ) d
     cross join lateral (
       (select 1 from marketdata.book_ticker
        where ts_exchange >= d.day and ts_exchange < d.day + interval '1 day' limit 1)
       union all
       (select 1 from marketdata.trades
        where ts_exchange >= d.day and ts_exchange < d.day + interval '1 day' limit 1)
       limit 1
     ) found
     order by d.day desc limit $1`,
    [limit],
  )
  return rows.map((row) => row.day)
}

async function selectSymbols({ client, from, to }: DayQuery): Promise<readonly DaySymbol[]> {
  const probe = (table: Channel, order: 'asc' | 'desc'): string =>
    `(select (extract(epoch from ts_exchange) * 1000000)::float8 from marketdata.${table}
      where symbol_id = s.id and ts_exchange >= $1 and ts_exchange < $2
      order by ts_exchange ${order} limit 1)`
  const { rows } = await client.query<{
    id: string
    exchange: Exchange
    symbol: string
    quote_first: number | null
    quote_last: number | null
    trade_first: number | null
    trade_last: number | null
  }>(
    `select s.id, s.exchange, s.symbol,
       ${probe('book_ticker', 'asc')} as quote_first, ${probe('book_ticker', 'desc')} as quote_last,
       ${probe('trades', 'asc')} as trade_first, ${probe('trades', 'desc')} as trade_last
     from marketdata.symbols s
     order by s.exchange collate "C", s.symbol collate "C"`,
    [from, to],
  )
  return rows.flatMap((row) => {
    const channels: Channel[] = []
    if (row.quote_first !== null) channels.push('book_ticker')
    if (row.trade_first !== null) channels.push('trades')
    if (channels.length === 0) return []
    return {
      symbol_id: Number(row.id),
      exchange: row.exchange,
      symbol: row.symbol,
      first_ts: micros(Math.min(row.quote_first ?? Infinity, row.trade_first ?? Infinity)),
      last_ts: micros(Math.max(row.quote_last ?? -Infinity, row.trade_last ?? -Infinity)),
      channels,
    }
  })
}

async function* readQuotes(query: DayQuery, symbol: DaySymbol): AsyncGenerator<QuoteChunk> {
  const widths: Widths = [8, 8, 8, 8, 8, 8]
  const columns = ['ts_exchange', 'update_id', 'best_bid', 'bid_qty', 'best_ask', 'ask_qty']
  const floats = (): Float64Array => new Float64Array(CHUNK_ROWS)
  const [ts_exchange, update_id, best_bid] = [floats(), floats(), floats()]
  const [bid_qty, best_ask, ask_qty] = [floats(), floats(), floats()]
  for await (const rows of copyDay(query, symbol, 'book_ticker', 'update_id', columns, widths)) {
    const { view, row_count, row_bytes, offsets } = rows
    for (let i = 0, at = 0; i < row_count; i++, at += row_bytes) {
      ts_exchange[i] = readMicros(view, at + offsets[0]!)
      update_id[i] = readInt8(view, at + offsets[1]!)
      best_bid[i] = view.getFloat64(at + offsets[2]!)
      bid_qty[i] = view.getFloat64(at + offsets[3]!)
      best_ask[i] = view.getFloat64(at + offsets[4]!)
      ask_qty[i] = view.getFloat64(at + offsets[5]!)
    }
    yield { row_count, ts_exchange, update_id, best_bid, bid_qty, best_ask, ask_qty }
  }
}

async function* readTrades(query: DayQuery, symbol: DaySymbol): AsyncGenerator<TradeChunk> {
  const widths: Widths = [8, 8, 8, 1]
  const columns = ['ts_exchange', 'price', 'qty', 'is_buyer_maker']
  const ts_exchange = new Float64Array(CHUNK_ROWS)
  const price = new Float64Array(CHUNK_ROWS)
  const qty = new Float64Array(CHUNK_ROWS)
  const is_buyer_maker = new Uint8Array(CHUNK_ROWS)
  for await (const rows of copyDay(query, symbol, 'trades', 'agg_trade_id', columns, widths)) {
    const { view, row_count, row_bytes, offsets } = rows
    for (let i = 0, at = 0; i < row_count; i++, at += row_bytes) {
      ts_exchange[i] = readMicros(view, at + offsets[0]!)
      price[i] = view.getFloat64(at + offsets[1]!)
      qty[i] = view.getFloat64(at + offsets[2]!)
      is_buyer_maker[i] = view.getUint8(at + offsets[3]!)
    }
    yield { row_count, ts_exchange, price, qty, is_buyer_maker }
  }
}

/** COPY takes no parameters: the id and the times in the text are numbers that we made text. */
function copyDay(
  { client, from, to }: DayQuery,
  symbol: DaySymbol,
  table: Channel,
  id: 'update_id' | 'agg_trade_id',
  columns: readonly string[],
  widths: Widths,
): AsyncIterable<CopyRows> {
  const stream = client.query(
    copyStreams.to(
      `copy (
         select ${columns.join(', ')} from marketdata.${table}
         where symbol_id = ${symbol.symbol_id}
           and ts_exchange >= '${from}' and ts_exchange < '${to}'
         order by ts_exchange, ${id}
       ) to stdout (format binary)`,
    ),
  )
  return copyRows(stream, widths, CHUNK_ROWS)
}

async function selectQuoteBefore(
  { client, before, from }: DayQuery,
  symbol: DaySymbol,
): Promise<CarriedQuote | undefined> {
  const { rows } = await client.query<{
    ts: number
    update_id: string
    best_bid: number
    bid_qty: number
    best_ask: number
    ask_qty: number
  }>(
    `select (extract(epoch from ts_exchange) * 1000000)::float8 as ts, update_id,
       best_bid, bid_qty, best_ask, ask_qty
     from marketdata.book_ticker
     where symbol_id = $1 and ts_exchange >= $2 and ts_exchange < $3
     order by ts_exchange desc, update_id desc limit 1`,
    [symbol.symbol_id, before, from],
  )
  const row = rows[0]
  if (row === undefined) return undefined
  const { ts, update_id, ...quote } = row
  return { ...quote, ts_exchange: micros(ts), update_id: Number(update_id) }
}

async function selectGaps(
  { client, before, to }: DayQuery,
  symbol: DaySymbol,
  channel: Channel,
): Promise<readonly StreamGap[]> {
  const { rows } = await client.query<{
    from_ts: number
    to_ts: number
    from_id: string | null
    to_id: string | null
    cause: GapCause
    repaired: boolean
  }>(
    `select (extract(epoch from from_ts) * 1000000)::float8 as from_ts,
       (extract(epoch from to_ts) * 1000000)::float8 as to_ts,
       from_id, to_id, cause, repaired_at is not null as repaired
     from marketdata.gaps
     where symbol_id = $1 and channel = $2 and to_ts >= $3 and from_ts < $4
     order by gaps.from_ts, gaps.to_ts, gaps.from_id, gaps.to_id, gaps.cause collate "C"`,
    [symbol.symbol_id, channel, before, to],
  )
  return rows.map((row) => ({
    ...row,
    from_ts: micros(row.from_ts),
    to_ts: micros(row.to_ts),
    from_id: row.from_id === null ? null : Number(row.from_id),
    to_id: row.to_id === null ? null : Number(row.to_id),
  }))
}
