-- The book's events, mark prices, liquidations, and what the listing said when.
-- Writer: ingestor (COPY; symbol_history by statement). Readers: jobs, edge-api.
-- Identity: depth_events (symbol_id, ts_exchange, final_update_id, depth_kind), since a diff, a
-- partial book and a snapshot may end with the same update; mark_price (symbol_id, ts_exchange);
-- liquidations have no id of the exchange's: (symbol_id, ts_exchange, side, price, qty).
-- Safe while the previous build runs: yes.

create table marketdata.depth_events (
  ts_exchange timestamptz not null,
  ts_ingest timestamptz not null,
  symbol_id bigint not null,
  final_update_id bigint not null,
  depth_kind text collate "C" not null,
  first_update_id bigint,
  prev_final_update_id bigint,
  bids double precision[] not null,
  asks double precision[] not null,
  constraint depth_events_pkey primary key (symbol_id, ts_exchange, final_update_id, depth_kind),
  constraint depth_events_depth_kind_check check (depth_kind in ('diff', 'partial', 'snapshot'))
) partition by range (ts_exchange);
-- A book is rebuilt from the newest snapshot before a moment: one entry among thousands of diffs.
create index depth_events_snapshot_idx on marketdata.depth_events (symbol_id, ts_exchange)
  where depth_kind = 'snapshot';
comment on table marketdata.depth_events is 'Changes of the order book, partial books and whole books, one partition an hour. A book at a moment: the newest snapshot before it and the diffs after that.';
comment on column marketdata.depth_events.final_update_id is 'last update id of the event (u), or of the snapshot (lastUpdateId)';
comment on column marketdata.depth_events.depth_kind is 'diff: the levels that changed; partial: the best levels of each side, complete as far as they go; snapshot: the book as a REST answer gave it';
comment on column marketdata.depth_events.first_update_id is 'first update id of a diff (U); null for the other kinds';
comment on column marketdata.depth_events.prev_final_update_id is 'final_update_id of the diff before, where the exchange says it (pu): a diff that names another one than is stored before it shows a hole';
comment on column marketdata.depth_events.bids is 'bid levels as [price, qty] pairs [quote asset, base asset]; in a diff qty 0 takes the level away';
comment on column marketdata.depth_events.asks is 'ask levels as [price, qty] pairs [quote asset, base asset]; in a diff qty 0 takes the level away';

create table marketdata.mark_price (
  ts_exchange timestamptz not null,
  ts_ingest timestamptz not null,
  symbol_id bigint not null,
  mark_price double precision not null,
  index_price double precision,
  settle_price double precision,
  funding_rate double precision,
  next_funding_at timestamptz,
  constraint mark_price_pkey primary key (symbol_id, ts_exchange)
) partition by range (ts_exchange);
comment on table marketdata.mark_price is 'Mark price, index price and funding of perpetuals, once a second, one partition an hour.';
comment on column marketdata.mark_price.mark_price is 'mark price [quote asset]';
comment on column marketdata.mark_price.index_price is 'index price [quote asset]; null where the exchange did not say';
comment on column marketdata.mark_price.settle_price is 'estimated settlement price [quote asset]; of use in the last hour before a settlement; null where the exchange did not say';
comment on column marketdata.mark_price.funding_rate is 'funding rate [fraction per funding interval], positive: longs pay shorts; null for contracts without funding';
comment on column marketdata.mark_price.next_funding_at is 'when funding is paid next [UTC]; null for contracts without funding';

create table marketdata.liquidations (
  ts_exchange timestamptz not null,
  ts_ingest timestamptz not null,
  symbol_id bigint not null,
  side text collate "C" not null,
  price double precision not null,
  qty double precision not null,
  average_price double precision not null,
  filled_qty double precision not null,
  constraint liquidations_pkey primary key (symbol_id, ts_exchange, side, price, qty),
  constraint liquidations_side_check check (side in ('buy', 'sell'))
) partition by range (ts_exchange);
comment on table marketdata.liquidations is 'Forced orders, one partition an hour. Incomplete by the exchange''s design: Binance sends only the last one per symbol and second, so counts and volumes of a second are lower bounds.';
comment on column marketdata.liquidations.side is 'side of the forced order, which is the taker''s: buy or sell';
comment on column marketdata.liquidations.price is 'limit price of the forced order [quote asset]';
comment on column marketdata.liquidations.qty is 'quantity of the forced order [base asset]';
comment on column marketdata.liquidations.average_price is 'average price of its fills [quote asset]; 0 while nothing is filled';
comment on column marketdata.liquidations.filled_qty is 'quantity filled so far [base asset]';

do $$
declare
  t text;
begin
  foreach t in array array['depth_events', 'mark_price', 'liquidations'] loop
    execute format('comment on column marketdata.%I.ts_ingest is %L', t, 'our clock when the frame or answer arrived [UTC]');
    execute format('comment on column marketdata.%I.symbol_id is %L', t, 'marketdata.symbols.id (no foreign key: the hot path does not pay for one)');
  end loop;
end $$;
comment on column marketdata.depth_events.ts_exchange is 'matching engine''s time (T), else event time (E), else receive time [UTC]';
comment on column marketdata.mark_price.ts_exchange is 'event time (E) [UTC]';
comment on column marketdata.liquidations.ts_exchange is 'when the order was last filled (T) [UTC]';

-- What the exchange's listing said, and since when. A listing that is older than the one that
-- stands says nothing any more, so replays of a tape change nothing.
alter table marketdata.symbols add column listed_at timestamptz;
comment on column marketdata.symbols.listed_at is 'receive time of the newest listing that was read; null for a symbol that no listing has named [UTC]';
comment on column marketdata.symbols.instrument_type is 'perp, future, spot or index; null until the listing was read';
comment on column marketdata.symbols.is_active is 'false once the exchange no longer trades it, or its listing leaves it out';

create table marketdata.symbol_history (
  symbol_id bigint not null,
  valid_from timestamptz not null,
  instrument_type text,
  is_active boolean not null,
  tick_size double precision,
  step_size double precision,
  constraint symbol_history_pkey primary key (symbol_id, valid_from),
  constraint symbol_history_symbol_id_fkey foreign key (symbol_id) references marketdata.symbols (id)
);
comment on table marketdata.symbol_history is 'What held for a symbol since when: one row a change of the listing (first seen, steps, listed, delisted). A row holds until the next one of its symbol.';
comment on column marketdata.symbol_history.symbol_id is 'marketdata.symbols.id';
comment on column marketdata.symbol_history.valid_from is 'receive time of the listing that first said so [UTC]; the change itself came between the listing before and this one';
comment on column marketdata.symbol_history.instrument_type is 'perp, future, spot or index';
comment on column marketdata.symbol_history.is_active is 'true while the exchange trades it';
comment on column marketdata.symbol_history.tick_size is 'smallest price step [quote asset]';
comment on column marketdata.symbol_history.step_size is 'smallest quantity step [base asset]';

comment on column marketdata.stream_offsets.last_id is 'its id (update_id, agg_trade_id, final_update_id); of a stream without ids its ts_exchange in microseconds';
comment on column marketdata.gaps.from_id is 'last id before the hole, where the stream has ids; null where it was lost before it ever spoke';

grant select on marketdata.depth_events, marketdata.mark_price, marketdata.liquidations,
  marketdata.symbol_history to booktape_reader;

create or replace function marketdata.ensure_hour(table_name text, hour timestamptz) returns void
language plpgsql as $$
declare
  from_ts timestamptz := date_bin('1 hour', hour, 'epoch');
  part text := table_name || to_char(from_ts at time zone 'UTC', '"_"YYYYMMDDHH24');
begin
  if table_name not in ('book_ticker', 'trades', 'depth_events', 'mark_price', 'liquidations') then
    raise exception 'ensure_hour: % is not a raw table', table_name;
  end if;
  if to_regclass(format('marketdata.%I', part)) is not null then
    return;
  end if;
  perform pg_advisory_xact_lock(hashtext('marketdata.ensure_hour'), hashtext(part));
  if exists (
    select from pg_class where relname = part and relnamespace = 'marketdata'::regnamespace
  ) then
    return;
  end if;
  execute format('create table marketdata.%I (like marketdata.%I including all)', part, table_name);
  execute format('alter table marketdata.%I attach partition marketdata.%I for values from (%L) to (%L)',
    table_name, part, from_ts, from_ts + interval '1 hour');
end $$;
