-- Signals from bars and books, how far they were computed per symbol, and webhook deliveries.
-- Writer: jobs (signals, webhook). Readers: edge-api, live, jobs.
-- Identity: (symbol_id, ts, id). A row is a function of the trades, the books and the gap ledger.
-- Safe while the previous build runs: yes. Its retention keeps partitions with late rows that are
-- logged for signals until this build has started.

create sequence marketdata.signals_seq;

create table marketdata.signals (
  ts timestamptz not null,
  symbol_id bigint not null,
  id bigint not null,
  seq bigint not null default nextval('marketdata.signals_seq'),
  kind text not null,
  interval_s bigint,
  bar_ts timestamptz,
  side text not null,
  price_low double precision not null,
  price_high double precision not null,
  strength double precision not null,
  version bigint not null,
  bin_ticks bigint,
  volume double precision,
  delta double precision,
  qty double precision,
  reference_qty double precision,
  qty_after double precision,
  traded_qty double precision,
  buy_qty double precision,
  sell_qty double precision,
  reference_price double precision,
  trade_id bigint,
  constraint signals_pkey primary key (symbol_id, ts, id),
  constraint signals_side_check check (side in ('buy', 'sell'))
) partition by range (ts);
create index signals_seq_idx on marketdata.signals (seq);
alter sequence marketdata.signals_seq owned by marketdata.signals.seq;
comment on table marketdata.signals is 'What the footprint or the book of a symbol showed, at the time when it was known, one partition a day, for the symbols in SIGNALS_SYMBOLS. docs/signals.md defines each kind. Late trades replace the rows of the bars that they change. Past days of every symbol are in the dataset signals.';
comment on column marketdata.signals.ts is 'when it was known: the end of its bar, its trade, or the update that confirms the book [UTC]';
comment on column marketdata.signals.symbol_id is 'marketdata.symbols.id';
comment on column marketdata.signals.id is 'hash of the other values, the same in every rerun';
comment on column marketdata.signals.seq is 'order in which rows were added to this table; a rerun keeps it';
comment on column marketdata.signals.kind is 'kind of signal, such as absorption';
comment on column marketdata.signals.interval_s is 'length of its bar: 60 or 300; null: it is not of a bar [s]';
comment on column marketdata.signals.bar_ts is 'start of its bar; for walls the second in which the book was seen; null for trades [UTC]';
comment on column marketdata.signals.side is 'the direction that it speaks for: buy means rising prices';
comment on column marketdata.signals.price_low is 'lowest price that it is about [quote asset]';
comment on column marketdata.signals.price_high is 'highest price that it is about [quote asset]';
comment on column marketdata.signals.strength is 'greater is stronger; docs/signals.md says what it is per kind [1]';
comment on column marketdata.signals.version is 'version of the definitions';
comment on column marketdata.signals.bin_ticks is 'width of the bins; null where the kind has none [ticks]';
comment on column marketdata.signals.volume is 'quantity traded in the bar; null where the kind has none [base asset]';
comment on column marketdata.signals.delta is 'bought minus sold quantity of the bar; null where the kind has none [base asset]';
comment on column marketdata.signals.qty is 'the quantity that the signal is about; null where the kind has none [base asset]';
comment on column marketdata.signals.reference_qty is 'what the quantity is compared with; null where the kind has none [base asset]';
comment on column marketdata.signals.qty_after is 'quantity of the level a second later; null where the kind has none [base asset]';
comment on column marketdata.signals.traded_qty is 'quantity that takers traded at the level in that second; null where the kind has none [base asset]';
comment on column marketdata.signals.buy_qty is 'quantity bought at the price; null where the kind has none [base asset]';
comment on column marketdata.signals.sell_qty is 'quantity sold at the price; null where the kind has none [base asset]';
comment on column marketdata.signals.reference_price is 'the extreme of the lookback that the bar exceeded; null where the kind has none [quote asset]';
comment on column marketdata.signals.trade_id is 'agg_trade_id of the trade; null where the kind has none';
grant select on marketdata.signals to booktape_reader;

create function marketdata.ensure_signals_day(day timestamptz) returns void
language plpgsql as $$
declare
  from_day timestamptz := date_bin('1 day', day, 'epoch');
  part text := 'signals' || to_char(from_day at time zone 'UTC', '"_"YYYYMMDD');
begin
  if to_regclass(format('marketdata.%I', part)) is not null then
    return;
  end if;
  perform pg_advisory_xact_lock(hashtext('marketdata.ensure_signals_day'), hashtext(part));
  if exists (
    select from pg_class where relname = part and relnamespace = 'marketdata'::regnamespace
  ) then
    return;
  end if;
  execute format('create table marketdata.%I (like marketdata.signals including all)', part);
  execute format('alter table marketdata.signals attach partition marketdata.%I for values from (%L) to (%L)',
    part, from_day, from_day + interval '1 day');
end $$;
comment on function marketdata.ensure_signals_day is 'Creates the partition of signals that holds the given time.';

create table marketdata.signal_progress (
  symbol_id bigint not null,
  from_ts timestamptz not null,
  trades_to timestamptz not null,
  books_from timestamptz not null,
  books_to timestamptz not null,
  gaps jsonb not null,
  updated_at timestamptz not null default now(),
  constraint signal_progress_pkey primary key (symbol_id)
);
comment on table marketdata.signal_progress is 'Span of each symbol''s rows in signals. Deleting a row has the symbol computed anew.';
comment on column marketdata.signal_progress.symbol_id is 'marketdata.symbols.id';
comment on column marketdata.signal_progress.from_ts is 'signals of bars and trades after it are complete [UTC]';
comment on column marketdata.signal_progress.trades_to is 'trades before it are included [UTC]';
comment on column marketdata.signal_progress.books_from is 'signals of books after it are complete [UTC]';
comment on column marketdata.signal_progress.books_to is 'rows of orderbook_topn before it are included [UTC]';
comment on column marketdata.signal_progress.gaps is 'open gaps of the trades that the rows were computed with: [[from, to or null], ...] in microseconds';
grant select on marketdata.signal_progress to booktape_reader;

create table marketdata.webhook_deliveries (
  id bigint generated always as identity,
  event_id text not null,
  event_type text not null,
  event_ts timestamptz not null,
  payload jsonb not null,
  attempt_count int not null default 0,
  next_attempt_at timestamptz not null default now(),
  created_at timestamptz not null default now(),
  last_error text,
  constraint webhook_deliveries_pkey primary key (id),
  constraint webhook_deliveries_event_key unique (event_id)
);
create index webhook_deliveries_next_idx on marketdata.webhook_deliveries (next_attempt_at, id);
comment on table marketdata.webhook_deliveries is 'Events that the webhook has not confirmed yet. A row is deleted when it is confirmed, or given up.';
comment on column marketdata.webhook_deliveries.id is 'order of the events';
comment on column marketdata.webhook_deliveries.event_id is 'header webhook-id: the same in every attempt, so that a receiver can leave out repeats';
comment on column marketdata.webhook_deliveries.event_type is 'such as signal.created';
comment on column marketdata.webhook_deliveries.event_ts is 'time of the event [UTC]';
comment on column marketdata.webhook_deliveries.payload is 'data of the event';
comment on column marketdata.webhook_deliveries.attempt_count is 'failed attempts so far';
comment on column marketdata.webhook_deliveries.next_attempt_at is 'when it is sent next [UTC]';
comment on column marketdata.webhook_deliveries.created_at is 'when it was added [UTC]';
comment on column marketdata.webhook_deliveries.last_error is 'why the last attempt failed; null before the first';

alter table marketdata.invalidations
  drop constraint invalidations_consumer_check,
  add constraint invalidations_consumer_check check (consumer in
    ('rollups', 'archive', 'orderbook_topn', 'features', 'clusters', 'signals'));
comment on column marketdata.invalidations.consumer is 'who has to look at it: rollups, archive, orderbook_topn, features, clusters or signals';

update marketdata.invalidation_thresholds set consumers = consumers || '{signals}'
where table_name in ('trades', 'orderbook_topn') and not consumers @> '{signals}';
comment on column marketdata.invalidation_thresholds.consumers is 'who wants to know: rollups, archive, orderbook_topn, features, clusters, signals';
