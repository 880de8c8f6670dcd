-- Values of price indexes (Deribit). Writers: ingestor (from the socket), jobs (polled once a
-- minute). Readers: edge-api, jobs.
-- Identity: (ticker, timestamp); whatever is fetched twice, by whomever, is one row.
-- Safe while the previous build runs: yes (a new table).

create table marketdata.prices (
  id bigint generated always as identity,
  ticker text not null,
  price numeric(20, 8) not null,
  "timestamp" timestamptz not null,
  ts_ingest timestamptz not null,
  created_at timestamptz not null default now(),
  constraint prices_pkey primary key (id),
  constraint prices_ticker_timestamp_key unique (ticker, "timestamp"),
  constraint prices_price_check check (price > 0)
);
comment on table marketdata.prices is 'Index prices, about one a second and index from the socket, or one a minute where they are polled.';
comment on column marketdata.prices.ticker is 'the index''s name at the exchange: btc_usd, eth_usd, ...';
comment on column marketdata.prices.price is 'value of the index [quote asset]';
comment on column marketdata.prices."timestamp" is 'the exchange''s own time, in whole milliseconds [UTC]';
comment on column marketdata.prices.ts_ingest is 'our clock when the frame or answer arrived [UTC]';
comment on column marketdata.prices.created_at is 'when the row was written [UTC]';

grant select on marketdata.prices to booktape_reader;

comment on column marketdata.symbols.symbol is 'the exchange''s own name: BTCUSDT, btc_usd';
comment on column marketdata.symbols.tick_size is 'smallest price step [quote asset]; null for an index';
comment on column marketdata.symbols.step_size is 'smallest quantity step [base asset]; null for an index';
comment on column marketdata.stream_offsets.last_id is 'its id (update_id, agg_trade_id, final_update_id); of a stream without ids its ts_exchange in microseconds; null where the stream has not spoken since we began to listen';
