-- Late depth mends orderbook_topn: what was added below the depth that was read already is logged
-- for it too, and the rows from there on are written anew.
-- Writer of what is logged: ingestor. Reader: jobs (orderbook_topn).
-- Safe while the previous build runs: yes. Its orderbook_topn leaves the log alone, and the next
-- run of this build takes what has gathered.

alter table marketdata.invalidations
  drop constraint invalidations_consumer_check,
  add constraint invalidations_consumer_check check (consumer in ('rollups', 'archive', 'orderbook_topn'));
comment on column marketdata.invalidations.consumer is 'who has to look at it: rollups, archive or orderbook_topn';

update marketdata.invalidation_thresholds set consumers = consumers || '{orderbook_topn}'
where table_name = 'depth_events' and not consumers @> '{orderbook_topn}';
comment on column marketdata.invalidation_thresholds.consumers is 'who wants to know: rollups, archive, orderbook_topn';
