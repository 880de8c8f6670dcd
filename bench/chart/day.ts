/** A day of trades of one symbol in Postgres: random prices, or those of a recording, repeated. */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import type { Pool } from '#core/node/pool.ts'
import { DAY_US, HOUR_US, type Micros, micros, toIso } from '#core/time.ts'

export interface Trade {
  readonly price: number
  readonly qty: number
  readonly is_sell: boolean
}

const TRADES_PER_S = 5
const HOUR_TRADES = TRADES_PER_S * 3_600

/** The trades of [from, from + 24 h), which begins with an hour. */
export async function fillDay(
  pool: Pool,
  symbol: string,
  from: Micros,
  trades: readonly Trade[],
): Promise<void> {
  await pool.query(
    `insert into marketdata.symbols (exchange, symbol, instrument_type, tick_size, step_size, is_active)
     values ('binance-futures', $1, 'perp', 0.1, 0.001, true)`,
    [symbol],
  )
  for (let hour = 0; hour < DAY_US / HOUR_US; hour++) {
    const start = micros(from + hour * HOUR_US)
    await pool.query("select marketdata.ensure_hour('trades', $1)", [toIso(start)])
    const part = Array.from(
      { length: HOUR_TRADES },
      (_, i) => trades[(hour * HOUR_TRADES + i) % trades.length]!,
    )
    await pool.query(
      `insert into marketdata.trades
         (symbol_id, ts_exchange, ts_ingest, agg_trade_id, price, qty, is_buyer_maker)
       select s.id, ts, ts, $2::bigint + n, price, qty, is_sell
       from unnest($4::float8[], $5::float8[], $6::boolean[]) with ordinality
         as t (price, qty, is_sell, n),
         lateral (select $3::timestamptz + (n - 1) * ${1 / TRADES_PER_S} * interval '1 second' as ts) at,
         marketdata.symbols s
       where s.symbol = $1`,
      [
        symbol,
        hour * HOUR_TRADES,
        toIso(start),
        part.map(({ price }) => price),
        part.map(({ qty }) => qty),
        part.map(({ is_sell }) => is_sell),
      ],
    )
  }
}

export function walk(): readonly Trade[] {
  let ticks = 600_000
  return Array.from({ length: HOUR_TRADES * 24 }, () => {
    ticks += Math.floor(Math.random() * 7) - 3
    const qty = (1 + Math.floor(Math.random() * 500)) / 1_000
    return { price: ticks / 10, qty, is_sell: Math.random() < 0.5 }
  })
}

export function recorded(path: string): readonly Trade[] {
  return gunzipSync(readFileSync(path))
    .toString('utf8')
    .split('\n')
    .filter((line) => line.includes('\\"e\\":\\"trade\\"'))
    .map((line) => JSON.parse((JSON.parse(line) as { data: string }).data) as Wire)
    .map(({ data }) => ({ price: Number(data.p), qty: Number(data.q), is_sell: data.m }))
}

/** Binance's trade: p price, q quantity, m whether the buyer is the maker. */
interface Wire {
  readonly data: { readonly p: string; readonly q: string; readonly m: boolean }
}
