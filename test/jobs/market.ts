/** Puts market rows straight into the raw tables, as a test wants them. */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import type { Channel } from '#core/market.ts'
import type { Client, Pool } from '#core/node/pool.ts'
import { HOUR_US, hourStart, micros, toIso } from '#core/time.ts'

export interface QuoteRow {
  readonly symbol: string
  /** Microseconds. */
  readonly ts: number
  readonly id: number
  readonly bid: number
  readonly bid_qty: number
  readonly ask: number
  readonly ask_qty: number
}

export interface TradeRow {
  readonly symbol: string
  readonly ts: number
  readonly id: number
  readonly price: number
  readonly qty: number
  readonly is_buyer_maker: boolean
}

/** Levels as Postgres writes them: {{price,qty},...}. */
export interface DepthEventRow {
  readonly symbol: string
  readonly ts: number
  readonly kind: 'diff' | 'snapshot'
  /** Id of the diff before; null for a snapshot. */
  readonly before: number | null
  readonly id: number
  readonly bids: string
  readonly asks: string
}

export interface MarkRow {
  readonly symbol: string
  readonly ts: number
  readonly mark: number
  readonly index: number | null
  readonly funding: number | null
}

export interface LiquidationRow {
  readonly symbol: string
  readonly ts: number
  readonly side: 'buy' | 'sell'
  readonly qty: number
}

export interface GapRow {
  readonly symbol: string
  readonly channel: Channel
  readonly from_ts: number
  readonly to_ts: number
  readonly from_id?: number
  readonly to_id?: number
  readonly repaired?: boolean
}

/** Ids are assigned in the order of `symbols`. */
export async function insertSymbols(pool: Pool, symbols: readonly string[]): Promise<void> {
  for (const symbol of symbols) {
    await pool.query(
      `insert into marketdata.symbols (exchange, symbol) values ('binance-futures', $1)
       on conflict do nothing`,
      [symbol],
    )
  }
}

export async function insertQuotes(pool: Pool, rows: readonly QuoteRow[]): Promise<void> {
  await ensureHours(pool, 'book_ticker', rows)
  await pool.query(
    `insert into marketdata.book_ticker
       (ts_exchange, ts_ingest, symbol_id, update_id, best_bid, best_ask, bid_qty, ask_qty)
     select r.ts, r.ts, s.id, r.id, r.bid, r.ask, r.bid_qty, r.ask_qty
     from unnest($1::timestamptz[], $2::text[], $3::int8[], $4::float8[], $5::float8[], $6::float8[], $7::float8[])
       as r (ts, symbol, id, bid, ask, bid_qty, ask_qty)
     join marketdata.symbols s using (symbol)`,
    [
      rows.map((row) => toIso(micros(row.ts))),
      rows.map((row) => row.symbol),
      rows.map((row) => row.id),
      rows.map((row) => row.bid),
      rows.map((row) => row.ask),
      rows.map((row) => row.bid_qty),
      rows.map((row) => row.ask_qty),
    ],
  )
}

export async function insertTrades(pool: Pool | Client, rows: readonly TradeRow[]): Promise<void> {
  await ensureHours(pool, 'trades', rows)
  await pool.query(
    `insert into marketdata.trades
       (ts_exchange, ts_ingest, symbol_id, agg_trade_id, price, qty, is_buyer_maker)
     select r.ts, r.ts, s.id, r.id, r.price, r.qty, r.is_buyer_maker
     from unnest($1::timestamptz[], $2::text[], $3::int8[], $4::float8[], $5::float8[], $6::bool[])
       as r (ts, symbol, id, price, qty, is_buyer_maker)
     join marketdata.symbols s using (symbol)`,
    [
      rows.map((row) => toIso(micros(row.ts))),
      rows.map((row) => row.symbol),
      rows.map((row) => row.id),
      rows.map((row) => row.price),
      rows.map((row) => row.qty),
      rows.map((row) => row.is_buyer_maker),
    ],
  )
}

export async function insertDepth(pool: Pool, rows: readonly DepthEventRow[]): Promise<void> {
  await ensureHours(pool, 'depth_events', rows)
  await pool.query(
    `insert into marketdata.depth_events (ts_exchange, ts_ingest, symbol_id, final_update_id,
       depth_kind, first_update_id, prev_final_update_id, bids, asks)
     select r.ts, r.ts, s.id, r.id, r.kind, r.before + 1, r.before, r.bids::float8[], r.asks::float8[]
     from unnest($1::timestamptz[], $2::text[], $3::int8[], $4::text[], $5::int8[], $6::text[], $7::text[])
       as r (ts, symbol, id, kind, before, bids, asks)
     join marketdata.symbols s using (symbol)`,
    [
      rows.map((row) => toIso(micros(row.ts))),
      rows.map((row) => row.symbol),
      rows.map((row) => row.id),
      rows.map((row) => row.kind),
      rows.map((row) => row.before),
      rows.map((row) => row.bids),
      rows.map((row) => row.asks),
    ],
  )
}

export async function insertMarks(pool: Pool, rows: readonly MarkRow[]): Promise<void> {
  await ensureHours(pool, 'mark_price', rows)
  await pool.query(
    `insert into marketdata.mark_price
       (ts_exchange, ts_ingest, symbol_id, mark_price, index_price, funding_rate)
     select r.ts, r.ts, s.id, r.mark, r.index, r.funding
     from unnest($1::timestamptz[], $2::text[], $3::float8[], $4::float8[], $5::float8[])
       as r (ts, symbol, mark, index, funding)
     join marketdata.symbols s using (symbol)`,
    [
      rows.map((row) => toIso(micros(row.ts))),
      rows.map((row) => row.symbol),
      rows.map((row) => row.mark),
      rows.map((row) => row.index),
      rows.map((row) => row.funding),
    ],
  )
}

export async function insertLiquidations(
  pool: Pool,
  rows: readonly LiquidationRow[],
): Promise<void> {
  await ensureHours(pool, 'liquidations', rows)
  await pool.query(
    `insert into marketdata.liquidations
       (ts_exchange, ts_ingest, symbol_id, side, price, qty, average_price, filled_qty)
     select r.ts, r.ts, s.id, r.side, 100, r.qty * 2, 100, r.qty
     from unnest($1::timestamptz[], $2::text[], $3::text[], $4::float8[]) as r (ts, symbol, side, qty)
     join marketdata.symbols s using (symbol)`,
    [
      rows.map((row) => toIso(micros(row.ts))),
      rows.map((row) => row.symbol),
      rows.map((row) => row.side),
      rows.map((row) => row.qty),
    ],
  )
}

export async function insertGap(pool: Pool, gap: GapRow): Promise<void> {
  await pool.query(
    `insert into marketdata.gaps
       (symbol_id, channel, from_ts, to_ts, from_id, to_id, cause, detected_at, repaired_at)
     select id, $2, $3, $4, $5, $6, 'disconnect', $4, case when $7 then now() end
     from marketdata.symbols where symbol = $1`,
    [
      gap.symbol,
      gap.channel,
      toIso(micros(gap.from_ts)),
      toIso(micros(gap.to_ts)),
      gap.from_id ?? null,
      gap.to_id ?? null,
      gap.repaired ?? false,
    ],
  )
}

async function ensureHours(
  pool: Pool | Client,
  table: string,
  rows: readonly { readonly ts: number }[],
): Promise<void> {
  for (const hour of new Set(rows.map((row) => hourStart(micros(row.ts)) / HOUR_US))) {
    await pool.query('select marketdata.ensure_hour($1, $2)', [
      table,
      toIso(micros(hour * HOUR_US)),
    ])
  }
}

/** Quotes and raw trades of a Binance USD-M recording, in the order of its lines. */
export function readRecording(path: string): {
  readonly quotes: readonly QuoteRow[]
  readonly trades: readonly TradeRow[]
} {
  const quotes: QuoteRow[] = []
  const trades: TradeRow[] = []
  for (const line of gunzipSync(readFileSync(path)).toString('utf8').split('\n')) {
    if (!line.startsWith('{"t":"ws"')) continue
    const { data } = JSON.parse((JSON.parse(line) as { data: string }).data) as {
      data: Record<string, string> & { T: number; u: number; t: number; m: boolean }
    }
    const [symbol, ts] = [data['s']!, data.T * 1_000]
    if (data['e'] === 'bookTicker') {
      const [bid, bid_qty] = [Number(data['b']), Number(data['B'])]
      quotes.push({
        symbol,
        ts,
        id: data.u,
        bid,
        bid_qty,
        ask: Number(data['a']),
        ask_qty: Number(data['A']),
      })
    } else if (data['e'] === 'trade') {
      const [price, qty] = [Number(data['p']), Number(data['q'])]
      trades.push({ symbol, ts, id: data.t, price, qty, is_buyer_maker: data.m })
    }
  }
  return { quotes, trades }
}
