-- Says of each raw table whose clock ts_exchange is (core/time-source.ts has it per exchange, and
-- GET /v1/symbols shows it). Comments alone.
-- Safe while the previous build runs: yes.

comment on column marketdata.book_ticker.ts_exchange is 'matching engine''s time (T); binance-spot says no time: when the quote arrived, at most when a later one did [UTC]';
comment on column marketdata.trades.ts_exchange is 'matching engine''s time (T), in the unit the exchange was asked for [UTC]';
comment on column marketdata.depth_events.ts_exchange is 'matching engine''s time (T), else event time (E); of binance-spot''s partial books, which say none, when they arrived, and of its snapshots the same by the clock of the changes before [UTC]';
