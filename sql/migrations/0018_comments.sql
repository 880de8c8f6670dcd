-- Says of columns what they came to hold since they were made. Comments alone.
-- Safe while the previous build runs: yes.

comment on column marketdata.job_runs.job_window is 'what the run was for: a UTC day (YYYY-MM-DD), an hour, a minute, or newest for a job that takes up where it stopped';
comment on column marketdata.liquidations.average_price is 'average price of its fills [quote asset]; 0 while nothing is filled, and where the exchange does not say (bybit-linear)';
comment on column marketdata.trades.agg_trade_id is 'aggregate trade id (a), or the trade id (t) where raw trades are recorded; of bybit-linear 53 bits of the trade''s UUID, which have no order';
