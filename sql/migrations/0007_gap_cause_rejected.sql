-- One more cause of a gap. Writer: ingestor. Readers: jobs, edge-api.
-- Safe while the previous build runs: yes (a comment).

comment on column marketdata.gaps.cause is 'sequence, disconnect, restart, silence, rejected (a frame came that cannot be read), tape_full or tape_cut';
comment on column marketdata.gaps.from_id is 'last id before the hole, where the stream has ids; null where it was lost before it ever spoke';
comment on column marketdata.stream_offsets.last_id is 'its id (update_id, agg_trade_id); null where the stream has not spoken since we began to listen';
