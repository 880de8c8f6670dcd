-- Why a stream is not heard at the moment, beside its last event: a stop of the writer between
-- the loss of a stream and its next event must not forget the hole.
-- Writer: ingestor. Safe while the previous build runs: yes (nullable column).

alter table marketdata.stream_offsets add column deaf_cause text;
comment on column marketdata.stream_offsets.deaf_cause is 'set while nobody listens to the stream: cause of the hole that its next event will close';

-- Every row is rewritten with every batch: room on the page keeps that out of the index.
alter table marketdata.stream_offsets set (fillfactor = 50);
