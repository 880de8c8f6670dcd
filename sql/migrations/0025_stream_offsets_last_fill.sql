-- The last fill of a trade stream, beside its last event: where the exchange uses an aggregate id
-- twice or leaves one out, the fills tell that nothing is missing, over a restart too.
-- Writer: ingestor. Safe while the previous build runs: yes (nullable column).

alter table marketdata.stream_offsets add column last_fill_id bigint;
comment on column marketdata.stream_offsets.last_fill_id is 'last fill that the event sums up, where the exchange names fills';
