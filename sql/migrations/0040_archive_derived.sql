-- Rollups and orderbook_topn go to the archive too: what is replaced below a threshold is logged for
-- it, as late raw rows are. The rollups' own threshold of orderbook_topn follows half a minute behind
-- the newest row, so the archive, which looks at finished hours, has one beside it.
-- Writer of what is logged: jobs (rollups, orderbook_topn). Reader: jobs (archive, retention).
-- Safe while the previous build runs: yes, but its rollups and orderbook_topn log nothing for the
-- archive; stop the previous jobs daemon before the new one archives its first hour.

insert into marketdata.invalidation_thresholds (table_name, consumers) values
  ('archive.orderbook_topn', '{archive}'), ('archive.bt_1s', '{archive}'),
  ('archive.trade_1s', '{archive}'), ('archive.depth_1s', '{archive}');

comment on column marketdata.invalidation_thresholds.table_name is 'raw table, or orderbook_topn; with the prefix "archive." what the archive wants to know of orderbook_topn and the rollups';
comment on column marketdata.archive.table_name is 'raw table, rollup or orderbook_topn';
