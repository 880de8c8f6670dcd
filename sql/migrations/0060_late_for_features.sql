-- Builds of today's features keep hours that are finished: late rows are logged for them too. Several
-- machines may keep hours, so nobody deletes what it has seen; a reader compares the transaction that
-- logged a row with the snapshot of its last build, and rows go after some hours (jobs).
-- Writer of what is logged: ingestor. Reader: jobs (features).
-- Safe while the previous build runs: yes. It logs for whoever is listed; its retention waits with
-- partitions that have such rows.

alter table marketdata.invalidations
  add column logged_xid xid8 not null default pg_current_xact_id(),
  drop constraint invalidations_consumer_check,
  add constraint invalidations_consumer_check
    check (consumer in ('rollups', 'archive', 'orderbook_topn', 'features'));
comment on column marketdata.invalidations.logged_xid is 'transaction that added the rows and logged them';
comment on column marketdata.invalidations.consumer is 'who has to look at it: rollups, archive, orderbook_topn or features';

update marketdata.invalidation_thresholds set consumers = consumers || '{features}'
where table_name in ('book_ticker', 'trades', 'depth_events', 'mark_price', 'liquidations')
  and not consumers @> '{features}';
comment on column marketdata.invalidation_thresholds.consumers is 'who wants to know: rollups, archive, orderbook_topn, features';
