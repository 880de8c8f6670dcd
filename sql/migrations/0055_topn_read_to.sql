-- How far the depth was read for orderbook_topn, which may be further than its rows reach: behind a
-- hole, or without any snapshot, there is nothing to show. Retention keeps depth that is still to be
-- read.
-- Writer: jobs (orderbook_topn). Readers: jobs.
-- Safe while the previous build runs: yes. It leaves read_to null, and such depth waits.

alter table marketdata.orderbook_topn_watermarks
  alter column covered_to drop not null,
  add column read_to timestamptz;
comment on column marketdata.orderbook_topn_watermarks.covered_to is 'every moment before it has its row, where the book was known; null before the first book [UTC]';
comment on column marketdata.orderbook_topn_watermarks.read_to is 'depth before it was read; null before the first run of a build that notes it [UTC]';
