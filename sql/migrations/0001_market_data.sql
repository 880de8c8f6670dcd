-- The market's own data: symbols, quotes, trades, and what we know we missed.
-- Writer: ingestor (COPY). Readers: jobs, edge-api.
-- Identity: (symbol_id, ts_exchange, id); replays of the tape collapse onto it.
-- Safe while the previous build runs: yes (first migration).

create schema if not exists marketdata;

create table marketdata.symbols (
  id bigint generated always as identity,
  exchange text not null,
  symbol text not null,
  instrument_type text,
  base_asset text,
  quote_asset text,
  is_active boolean not null default true,
  tick_size double precision,
  step_size double precision,
  constraint symbols_pkey primary key (id),
  constraint symbols_exchange_symbol_key unique (exchange, symbol)
);
comment on table marketdata.symbols is 'Instruments, as the exchange lists them.';
comment on column marketdata.symbols.exchange is 'binance-futures, ...';
comment on column marketdata.symbols.symbol is 'the exchange''s own name, upper case';
comment on column marketdata.symbols.instrument_type is 'perp, future or spot; null until the listing was read';
comment on column marketdata.symbols.is_active is 'false once the exchange no longer trades it';
comment on column marketdata.symbols.tick_size is 'smallest price step [quote asset]';
comment on column marketdata.symbols.step_size is 'smallest quantity step [base asset]';

create table marketdata.book_ticker (
  ts_exchange timestamptz not null,
  ts_ingest timestamptz not null,
  symbol_id bigint not null,
  update_id bigint not null,
  best_bid double precision not null,
  best_ask double precision not null,
  bid_qty double precision not null,
  ask_qty double precision not null,
  constraint book_ticker_pkey primary key (symbol_id, ts_exchange, update_id)
) partition by range (ts_exchange);
comment on table marketdata.book_ticker is 'Best bid and offer after every change, one partition an hour.';

create table marketdata.trades (
  ts_exchange timestamptz not null,
  ts_ingest timestamptz not null,
  symbol_id bigint not null,
  agg_trade_id bigint not null,
  price double precision not null,
  qty double precision not null,
  non_rpi_qty double precision,
  first_trade_id bigint,
  last_trade_id bigint,
  is_buyer_maker boolean not null,
  constraint trades_pkey primary key (symbol_id, ts_exchange, agg_trade_id)
) partition by range (ts_exchange);
comment on table marketdata.trades is 'Trades (aggregated by the exchange, or raw), one partition an hour.';

-- spread and mid cost no byte where Postgres can compute them on reading (18 and newer);
-- older servers store them, so that the column names are the same everywhere.
do $$
declare
  kind text := case when current_setting('server_version_num')::int >= 180000 then 'virtual' else 'stored' end;
begin
  execute format('alter table marketdata.book_ticker
    add column spread double precision generated always as (best_ask - best_bid) %1$s,
    add column mid double precision generated always as ((best_ask + best_bid) / 2) %1$s', kind);
end $$;

do $$
declare
  t text;
begin
  foreach t in array array['book_ticker', 'trades'] loop
    execute format('comment on column marketdata.%I.ts_exchange is %L', t, 'matching engine''s time (T), else event time (E), else receive time [UTC]');
    execute format('comment on column marketdata.%I.ts_ingest is %L', t, 'our clock when the frame arrived [UTC]');
    execute format('comment on column marketdata.%I.symbol_id is %L', t, 'marketdata.symbols.id (no foreign key: the hot path does not pay for one)');
  end loop;
end $$;
comment on column marketdata.book_ticker.update_id is 'the exchange''s order book update id (u)';
comment on column marketdata.book_ticker.best_bid is 'best bid price [quote asset]';
comment on column marketdata.book_ticker.best_ask is 'best ask price [quote asset]';
comment on column marketdata.book_ticker.bid_qty is 'quantity at the best bid [base asset]';
comment on column marketdata.book_ticker.ask_qty is 'quantity at the best ask [base asset]';
comment on column marketdata.book_ticker.spread is 'best_ask - best_bid [quote asset]';
comment on column marketdata.book_ticker.mid is '(best_ask + best_bid) / 2 [quote asset]';
comment on column marketdata.trades.agg_trade_id is 'aggregate trade id (a), or the trade id (t) where raw trades are recorded';
comment on column marketdata.trades.price is 'trade price [quote asset]';
comment on column marketdata.trades.qty is 'traded quantity, RPI fills included [base asset]';
comment on column marketdata.trades.non_rpi_qty is 'traded quantity without RPI fills (nq) [base asset]; null where the exchange did not say';
comment on column marketdata.trades.first_trade_id is 'first trade id of the aggregate (f)';
comment on column marketdata.trades.last_trade_id is 'last trade id of the aggregate (l)';
comment on column marketdata.trades.is_buyer_maker is 'true: the taker sold';

-- Every hole that we know of. One row a stream and hole; repaired_at says when it was closed.
create table marketdata.gaps (
  id bigint generated always as identity,
  symbol_id bigint not null,
  channel text not null,
  from_ts timestamptz not null,
  to_ts timestamptz not null,
  from_id bigint,
  to_id bigint,
  cause text not null,
  detected_at timestamptz not null,
  repaired_count bigint not null default 0,
  repaired_at timestamptz,
  repair_note text,
  constraint gaps_pkey primary key (id),
  constraint gaps_symbol_id_fkey foreign key (symbol_id) references marketdata.symbols (id),
  constraint gaps_identity_key unique nulls not distinct (symbol_id, channel, from_ts, to_ts, from_id, to_id, cause)
);
create index gaps_open_idx on marketdata.gaps (symbol_id, channel, from_ts) where repaired_at is null;
comment on table marketdata.gaps is 'The gap ledger: what we did not receive, why, and what was refilled.';
comment on column marketdata.gaps.channel is 'the stream, named after the table it feeds';
comment on column marketdata.gaps.from_ts is 'ts_exchange of the last event before the hole [UTC]';
comment on column marketdata.gaps.to_ts is 'ts_exchange of the first event after the hole [UTC]';
comment on column marketdata.gaps.from_id is 'last id before the hole, where the stream has ids';
comment on column marketdata.gaps.to_id is 'first id after the hole';
comment on column marketdata.gaps.cause is 'sequence, disconnect, restart, silence, tape_full or tape_cut';
comment on column marketdata.gaps.detected_at is 'our clock when the frame arrived that showed the hole [UTC]';
comment on column marketdata.gaps.repaired_count is 'rows refilled over REST';
comment on column marketdata.gaps.repaired_at is 'when the hole was closed completely; null while it is open [UTC]';
comment on column marketdata.gaps.repair_note is 'why an open hole cannot be refilled';

-- How far an ingestor's tape has been written into these tables. Updated in the rows' own transaction.
create table marketdata.tape_positions (
  ingestor_id text not null,
  tape_id text not null,
  tape_position bigint not null,
  updated_at timestamptz not null default now(),
  constraint tape_positions_pkey primary key (ingestor_id)
);
comment on table marketdata.tape_positions is 'Per ingestor: everything on its tape before this position is in the tables.';
comment on column marketdata.tape_positions.ingestor_id is 'INGESTOR_ID of the process';
comment on column marketdata.tape_positions.tape_id is 'identity of the tape; another id means the tape was replaced and starts from its beginning';
comment on column marketdata.tape_positions.tape_position is 'byte position on the tape [bytes]';

-- The last event of every stream, in the same transaction: what the sequence check compares with.
create table marketdata.stream_offsets (
  ingestor_id text not null,
  symbol_id bigint not null,
  channel text not null,
  last_id bigint,
  ts_exchange timestamptz not null,
  ts_ingest timestamptz not null,
  constraint stream_offsets_pkey primary key (ingestor_id, symbol_id, channel)
);
comment on table marketdata.stream_offsets is 'Per ingestor and stream: the last event that was written.';
comment on column marketdata.stream_offsets.last_id is 'its id (update_id, agg_trade_id)';

-- Makes the partition of one hour. Built beside the parent and then attached, so that readers
-- of the parent are not blocked; the lock makes two ingestors take turns.
create function marketdata.ensure_hour(table_name text, hour timestamptz) returns void
language plpgsql as $$
declare
  from_ts timestamptz := date_bin('1 hour', hour, 'epoch');
  part text := table_name || to_char(from_ts at time zone 'UTC', '"_"YYYYMMDDHH24');
begin
  if table_name not in ('book_ticker', 'trades') then
    raise exception 'ensure_hour: % is not a raw table', table_name;
  end if;
  if to_regclass(format('marketdata.%I', part)) is not null then
    return;
  end if;
  perform pg_advisory_xact_lock(hashtext('marketdata.ensure_hour'), hashtext(part));
  if to_regclass(format('marketdata.%I', part)) is not null then
    return;
  end if;
  execute format('create table marketdata.%I (like marketdata.%I including all)', part, table_name);
  execute format('alter table marketdata.%I attach partition marketdata.%I for values from (%L) to (%L)',
    table_name, part, from_ts, from_ts + interval '1 hour');
end $$;
comment on function marketdata.ensure_hour is 'Creates the partition of one raw table for the hour that holds the given time.';
