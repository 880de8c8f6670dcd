/** Generated rows of every raw table, by the hour, with awkward cases. */
import type { Pool } from '#core/node/pool.ts'
import { RAW_CHANNELS, type RawChannel } from '#core/tables.ts'

/** Columns besides the stamps, with SQL values from the row number `n` and a unique `id`. */
const VALUES: { readonly [table in RawChannel]: readonly [columns: string, values: string] } = {
  // Some sides are empty, sometimes both.
  book_ticker: [
    'update_id, best_bid, best_ask, bid_qty, ask_qty',
    `id, case when n % 4 <> 3 then 61800.2 + n end, case when n % 6 <> 5 then 61800.3 + n end,
     case when n % 4 <> 3 then (n + 1) * 0.001 end, case when n % 6 <> 5 then 0.5 end`,
  ],
  // A price off the tick, a quantity off the step, nulls.
  trades: [
    'agg_trade_id, price, qty, non_rpi_qty, is_buyer_maker',
    'id, 61800.125 + n, 1e-8, case when n % 3 = 0 then null else n * 0.001 end, n % 2 = 0',
  ],
  // Three kinds with the same time; sides without levels.
  depth_events: [
    'final_update_id, depth_kind, first_update_id, bids, asks',
    `id, (array['diff', 'partial', 'snapshot'])[n % 3 + 1], nullif(n, 4),
     case when n % 5 = 0 then '{}'::float8[] else array[array[61800.2 + n, 0.5], array[61799.5, 1e-3]] end, '{}'`,
  ],
  mark_price: [
    'mark_price, index_price, funding_rate, next_funding_at',
    `61800.12345678 + n, null, 0.0001 * n, $2::timestamptz + interval '8 hours'`,
  ],
  // No id: rows with the same time differ in side and quantity.
  liquidations: [
    'side, price, qty, average_price, filled_qty',
    `case n % 2 when 0 then 'buy' else 'sell' end, 61800.2, n * 0.001, 61800.2, 0`,
  ],
}

/**
 * Inserts `row_count` rows into each table, from the hour's first microsecond. Two rows share each
 * time, unless the table allows only one. Times are not whole milliseconds.
 */
export async function fillHour(
  pool: Pool,
  symbol_id: number,
  hour: string,
  row_count: number,
): Promise<void> {
  const step_s = Math.floor(7_000 / row_count) / 2
  for (const table of RAW_CHANNELS) {
    const [columns, values] = VALUES[table]
    await pool.query('select marketdata.ensure_hour($1, $2)', [table, hour])
    await pool.query(
      `insert into marketdata.${table} (symbol_id, ts_exchange, ts_ingest, ${columns})
       select $1, ts, ts + interval '1003 microseconds', ${values}
       from generate_series(0, $3::int - 1) n,
       lateral (select
         $2::timestamptz + make_interval(secs => n / 2 * 2 * $4::float8) + interval '1 microsecond' as ts,
         extract(epoch from $2::timestamptz)::bigint + n as id) t
       on conflict do nothing`,
      [symbol_id, hour, row_count, step_s],
    )
  }
}
