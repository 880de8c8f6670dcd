/**
 * The measured process: DuckDB computes the features of quotes and trades of a day's archive files
 * with one statement, and writes them as Parquet with zstd. Columns as in features_1s; a value is
 * carried forward as there. It knows no gaps and computes in doubles.
 */
import { DuckDBInstance } from '@duckdb/node-api'

export interface DuckDbTask {
  /** Folder with book_ticker-*.parquet and trades-*.parquet. */
  readonly dir: string
  readonly out: string
  readonly thread_count: number
}

export interface DuckDbFigures {
  readonly elapsed_s: number
  readonly cpu_s: number
  readonly row_count: number
}

/** Besides the key columns. */
export const DUCKDB_COLUMNS: readonly string[] = (
  'mid_open mid_high mid_low mid_close best_bid bid_qty best_ask ask_qty spread spread_mean ' +
  'weighted_mid i1 ofi quote_count quote_age_s realised_variance trade_count volume buy_volume ' +
  'sell_volume notional vwap trade_imbalance ofi_2s ofi_3s bipower_variation ' +
  'realised_variance_60s bipower_variation_60s kyle_lambda_300s'
).split(' ')

export function featureSql({ dir, out }: Pick<DuckDbTask, 'dir' | 'out'>): string {
  return `copy (
    with quotes as (
      select symbol, ts_exchange as quoted, time_bucket(interval 1 second, ts_exchange) as ts,
        best_bid as b, bid_qty as qb, best_ask as a, ask_qty as qa,
        lag(best_bid) over w as b0, lag(bid_qty) over w as qb0,
        lag(best_ask) over w as a0, lag(ask_qty) over w as qa0, update_id
      from read_parquet('${dir}/book_ticker-*.parquet')
      window w as (partition by symbol order by ts_exchange, update_id)
    ), of_quotes as (
      select symbol, ts, max((b + a) / 2) as high, min((b + a) / 2) as low,
        arg_max({'b': b, 'qb': qb, 'a': a, 'qa': qa, 'quoted': quoted}, row(quoted, update_id)) as last, avg(a - b) as spread_mean,
        sum(coalesce(if(b >= b0, qb, 0) - if(b <= b0, qb0, 0)
          - if(a <= a0, qa, 0) + if(a >= a0, qa0, 0), 0)) as ofi, count(*) as quote_count
      from quotes group by symbol, ts
    ), of_trades as (
      select symbol, time_bucket(interval 1 second, ts_exchange) as ts, count(*) as trade_count,
        sum(qty) as volume, sum(qty) filter (not is_buyer_maker) as buy_volume,
        sum(qty) filter (is_buyer_maker) as sell_volume, sum(price * qty) as notional
      from read_parquet('${dir}/trades-*.parquet') group by symbol, ts
    ), ends as (
      select symbol, min(ts) as first, max(max(ts)) over () as last from of_quotes group by symbol
    ), grid as (
      select symbol, unnest(generate_series(first, last, interval 1 second)) as ts from ends
    ), filled as (
      select g.symbol, g.ts, high, low, spread_mean, coalesce(ofi, 0) as ofi,
        coalesce(quote_count, 0) as quote_count, coalesce(trade_count, 0) as trade_count,
        coalesce(volume, 0) as volume, coalesce(buy_volume, 0) as buy_volume,
        coalesce(sell_volume, 0) as sell_volume, coalesce(notional, 0) as notional,
        last_value(last ignore nulls) over (partition by g.symbol order by g.ts) as q
      from grid g left join of_quotes using (symbol, ts) left join of_trades using (symbol, ts)
    ), mids as (
      select *, (q.b + q.a) / 2 as mid_close, lag((q.b + q.a) / 2) over s as before
      from filled window s as (partition by symbol order by ts)
    ), returns as (
      select *, ln(mid_close / before) as r, mid_close - before as dm,
        buy_volume - sell_volume as flow, lag(abs(ln(mid_close / before))) over s as r0
      from mids window s as (partition by symbol order by ts)
    ), products as (select *, r * r as rv, pi() / 2 * abs(r) * r0 as bv from returns)
    select ts, 'binance-futures' as exchange, symbol, coalesce(before, mid_close) as mid_open,
      greatest(high, before, mid_close) as mid_high, least(low, before, mid_close) as mid_low,
      mid_close, q.b as best_bid, q.qb as bid_qty, q.a as best_ask, q.qa as ask_qty,
      q.a - q.b as spread, coalesce(spread_mean, q.a - q.b) as spread_mean,
      (q.a * q.qb + q.b * q.qa) / (q.qb + q.qa) as weighted_mid,
      (q.qb - q.qa) / (q.qb + q.qa) as i1, ofi, quote_count,
      epoch(ts) + 1 - epoch(q.quoted) as quote_age_s, rv as realised_variance, trade_count, volume,
      buy_volume, sell_volume, notional, notional / nullif(volume, 0) as vwap,
      flow / nullif(volume, 0) as trade_imbalance,
      sum(ofi) over (s rows 1 preceding) as ofi_2s, sum(ofi) over (s rows 2 preceding) as ofi_3s,
      bv as bipower_variation, sum(rv) over (s rows 59 preceding) as realised_variance_60s,
      sum(bv) over (s rows 58 preceding) as bipower_variation_60s,
      covar_pop(dm, flow) over (s rows 299 preceding)
        / nullif(var_pop(flow) over (s rows 299 preceding), 0) as kyle_lambda_300s
    from products window s as (partition by symbol order by ts) order by symbol, ts
  ) to '${out}' (format parquet, compression zstd, row_group_size 131072)`
}

if (process.send !== undefined && process.argv[2] !== undefined) {
  await run(JSON.parse(process.argv[2]) as DuckDbTask)
}

async function run(task: DuckDbTask): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:', { threads: String(task.thread_count) })
  const connection = await instance.connect()
  const before = process.resourceUsage()
  const began_ms = performance.now()
  const reader = await connection.runAndReadAll(featureSql(task))
  const elapsed_s = (performance.now() - began_ms) / 1_000
  const after = process.resourceUsage()
  const cpu_us = (usage: NodeJS.ResourceUsage): number => usage.userCPUTime + usage.systemCPUTime
  const figures: DuckDbFigures = {
    elapsed_s,
    cpu_s: (cpu_us(after) - cpu_us(before)) / 1e6,
    row_count: Number(reader.getRows()[0]![0]),
  }
  connection.closeSync()
  instance.closeSync()
  process.send!(figures)
  process.disconnect()
}
