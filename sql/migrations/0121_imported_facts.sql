-- What files of other archives have and no stream records: funding rates, open interest and ratios,
-- quantity in the book by distance from the mid, candles of the exchange.
-- Writer: `npx booktape import`. Readers: people.
-- Identity: symbol, time, and what the rows of a time are told apart by.
-- Safe while the previous build runs: yes (new tables).

create table marketdata.funding_rates (
  symbol_id bigint not null,
  ts_exchange timestamptz not null,
  funding_rate double precision not null,
  interval_h integer,
  constraint funding_rates_pkey primary key (symbol_id, ts_exchange),
  constraint funding_rates_symbol_id_fkey foreign key (symbol_id) references marketdata.symbols (id)
);
comment on table marketdata.funding_rates is 'Funding that was paid, from Binance''s files fundingRate. mark_price has the rates that were expected.';
comment on column marketdata.funding_rates.funding_rate is 'rate; positive: longs pay shorts [fraction per funding interval]';
comment on column marketdata.funding_rates.interval_h is 'time since the payment before [h]';

create table marketdata.open_interest (
  symbol_id bigint not null,
  ts_exchange timestamptz not null,
  open_interest double precision,
  open_interest_value double precision,
  top_account_ratio double precision,
  top_position_ratio double precision,
  account_ratio double precision,
  taker_volume_ratio double precision,
  constraint open_interest_pkey primary key (symbol_id, ts_exchange),
  constraint open_interest_symbol_id_fkey foreign key (symbol_id) references marketdata.symbols (id)
);
comment on table marketdata.open_interest is 'Open interest and ratios every five minutes, from Binance''s files metrics. Null: the file has no value.';
comment on column marketdata.open_interest.open_interest is 'open interest (sum_open_interest) [base asset]';
comment on column marketdata.open_interest.open_interest_value is 'its value (sum_open_interest_value) [quote asset]';
comment on column marketdata.open_interest.top_account_ratio is 'long accounts of top traders by short ones (count_toptrader_long_short_ratio) [ratio]';
comment on column marketdata.open_interest.top_position_ratio is 'long positions of top traders by short ones (sum_toptrader_long_short_ratio) [ratio]';
comment on column marketdata.open_interest.account_ratio is 'long accounts by short ones (count_long_short_ratio) [ratio]';
comment on column marketdata.open_interest.taker_volume_ratio is 'bought by sold volume of takers (sum_taker_long_short_vol_ratio) [ratio]';

create table marketdata.book_depth (
  symbol_id bigint not null,
  ts_exchange timestamptz not null,
  distance_percent double precision not null,
  qty double precision not null,
  notional double precision not null,
  constraint book_depth_pkey primary key (symbol_id, ts_exchange, distance_percent),
  constraint book_depth_symbol_id_fkey foreign key (symbol_id) references marketdata.symbols (id)
);
comment on table marketdata.book_depth is 'Quantity in the book up to a distance from the mid, about every 30 seconds, from Binance''s files bookDepth.';
comment on column marketdata.book_depth.distance_percent is 'distance from the mid; negative: bids [percent]';
comment on column marketdata.book_depth.qty is 'sum of quantities (depth) [base asset]';
comment on column marketdata.book_depth.notional is 'sum of prices by quantities [quote asset]';

create table marketdata.klines (
  symbol_id bigint not null,
  interval_s integer not null,
  ts_exchange timestamptz not null,
  open double precision not null,
  high double precision not null,
  low double precision not null,
  close double precision not null,
  volume double precision not null,
  notional double precision not null,
  trade_count bigint not null,
  buy_volume double precision not null,
  buy_notional double precision not null,
  constraint klines_pkey primary key (symbol_id, interval_s, ts_exchange),
  constraint klines_symbol_id_fkey foreign key (symbol_id) references marketdata.symbols (id)
);
comment on table marketdata.klines is 'Candles as the exchange made them, from Binance''s files klines. The dataset candles is computed from trades.';
comment on column marketdata.klines.interval_s is 'length of the candle [s]';
comment on column marketdata.klines.ts_exchange is 'start of the candle [UTC]';
comment on column marketdata.klines.open is 'first price [quote asset]';
comment on column marketdata.klines.high is 'highest price [quote asset]';
comment on column marketdata.klines.low is 'lowest price [quote asset]';
comment on column marketdata.klines.close is 'last price [quote asset]';
comment on column marketdata.klines.volume is 'traded quantity [base asset]';
comment on column marketdata.klines.notional is 'sum of prices by quantities [quote asset]';
comment on column marketdata.klines.trade_count is 'number of trades, not of aggregates';
comment on column marketdata.klines.buy_volume is 'quantity that takers bought [base asset]';
comment on column marketdata.klines.buy_notional is 'notional that takers bought [quote asset]';

grant select on marketdata.funding_rates, marketdata.open_interest, marketdata.book_depth,
  marketdata.klines to booktape_reader;
