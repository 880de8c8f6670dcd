-- The cause `operator` of holes: an operator paused the recording, or left streams out.
-- Writer: ingestor. Readers: jobs, edge-api, people.
-- Safe while the previous build runs: yes (comments only).

comment on column marketdata.gaps.cause is 'sequence, disconnect, restart, silence, refused (the exchange refuses the subscription), rejected (a frame came that cannot be read), tape_full, tape_cut, delisted (no longer listed) or operator (an operator paused the recording or left the stream out)';
comment on column marketdata.gap_ledger.cause is 'as in gaps; a hole by delisted that has not ended is the end of the stream, and nothing is missing; one by operator ends when the stream is recorded again';
comment on column marketdata.stream_offsets.deaf_cause is 'set while the stream is not heard: cause of the hole that its next event will end; delisted: it has ended, and no event is expected; operator with connection 0: an operator chose that it is not recorded';
