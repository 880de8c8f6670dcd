-- The socket that brought a stream's last event. Ids of quotes show no hole, so a session of the writer
-- that begins while a socket is being replaced has to know which of the two it goes on from.
-- Writer: ingestor. Readers: ingestor.
-- Safe while the previous build runs: yes (nullable; null means any socket, as before).

alter table marketdata.stream_offsets add column connection bigint;
comment on column marketdata.stream_offsets.connection is 'number of the socket that carries on from the last event, as on the tape; null: any';
