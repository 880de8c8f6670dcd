/** Imported facts, as if a file of a day had been imported. */
import { FACT_TABLES, type FactName } from '#core/fact-tables.ts'
import type { Pool } from '#core/node/pool.ts'
import { addDays, type Day } from '#core/time.ts'

const SHA256 = 'ab'.repeat(32)

/**
 * Notes a whole file of the day, so that its dataset is due. Twice: another version of the file.
 */
export async function noteFactFile(
  pool: Pool,
  symbol_id: number,
  table: FactName,
  day: Day,
): Promise<void> {
  const kind = table === 'klines' ? 'klines_1m' : FACT_TABLES[table].files
  await pool.query(
    `insert into marketdata.imports (file, source, kind, symbol_id, table_name, from_ts, to_ts, sha256,
       byte_count, line_count, added_count, removed_count, known_count, repeated_count, void_count,
       rejected_count, missing_count, finding, imported_at)
     values ($1, 'binance', $2, $3, $4, $5, $6, $7, 9, 288, 288, 0, 0, 0, 0, 0, 0, null, now())
     on conflict do nothing`,
    [`${kind}-${symbol_id}-${day}.zip`, kind, symbol_id, table, day, addDays(day, 1), SHA256],
  )
  await pool.query(
    `insert into marketdata.fact_days as d (table_name, date, change_count) values ($1, $2, 1)
     on conflict (table_name, date) do update set change_count = d.change_count + 1`,
    [table, day],
  )
}

/** Rows of a day in every table, and their files. */
export async function insertFactDay(pool: Pool, symbol_id: number, day: Day): Promise<void> {
  const days = [symbol_id, `${day}T00:00:00Z`]
  const times = (step: string): string =>
    `generate_series($2::timestamptz, $2::timestamptz + interval '1 day' - interval '${step}',
       interval '${step}') t`
  await pool.query(
    `insert into marketdata.klines (symbol_id, interval_s, ts_exchange, open, high, low, close,
       volume, notional, trade_count, buy_volume, buy_notional)
     select $1, 60, t, 100.5, 102, 99.25, extract(minute from t), 7.125, 700.5, 12, 3, 300
     from ${times('1 minute')}`,
    days,
  )
  await pool.query(
    `insert into marketdata.open_interest (symbol_id, ts_exchange, open_interest,
       open_interest_value, top_account_ratio, top_position_ratio, account_ratio, taker_volume_ratio)
     select $1, t, 80000.125, 8000000000.25, nullif(extract(hour from t), 3), 1.1, 0.9, 1.01
     from ${times('5 minutes')}`,
    days,
  )
  await pool.query(
    `insert into marketdata.funding_rates (symbol_id, ts_exchange, funding_rate, interval_h)
     select $1, t, 0.0001, 8 from ${times('8 hours')}`,
    days,
  )
  await pool.query(
    `insert into marketdata.book_depth (symbol_id, ts_exchange, distance_percent, qty, notional)
     select $1, t, p, 100.5 + p, 6000000.25 from ${times('1 minute')}, unnest(array[-5, -0.2, 1]) p`,
    days,
  )
  for (const { name } of Object.values(FACT_TABLES)) await noteFactFile(pool, symbol_id, name, day)
}
