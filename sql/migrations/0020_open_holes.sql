-- Holes that have not ended. Until now a hole had a row only once its stream spoke again; a stream
-- that stayed silent, and every stream of an ingestor that was down, had none.
-- Writer: ingestor (the columns). Readers of the view: jobs, edge-api, people.
-- Safe while the previous build runs: yes (nullable columns; it leaves them null, and then the view
-- shows what it marked as lost, from the stream's last event on).

alter table marketdata.stream_offsets
  add column began_ts timestamptz,
  add column lost_ts timestamptz,
  add column lost_at timestamptz;
comment on column marketdata.stream_offsets.began_ts is 'exchange time from which on this ingestor has recorded the stream; its holes since then are in gap_ledger [UTC]';
comment on column marketdata.stream_offsets.lost_ts is 'set with deaf_cause: exchange time up to which the stream was certainly heard [UTC]';
comment on column marketdata.stream_offsets.lost_at is 'set with deaf_cause: our clock when the loss was noticed [UTC]';
comment on column marketdata.stream_offsets.deaf_cause is 'set while the stream is not heard: cause of the hole that its next event will end; delisted: it has ended, and no event is expected';

alter table marketdata.tape_positions add column covered_until timestamptz;
comment on column marketdata.tape_positions.covered_until is 'our clock at the newest record that is committed; a running ingestor writes one at least every two seconds. Null: it makes no claim (an import, or an older build) [UTC]';

comment on column marketdata.gaps.from_ts is 'ts_exchange of the last event before the hole; of a stream that was quiet then, up to when it was certainly heard [UTC]';
comment on column marketdata.gaps.to_ts is 'ts_exchange of the first event after the hole [UTC]';
comment on column marketdata.gaps.cause is 'sequence, disconnect, restart, silence, refused (the exchange refuses the subscription), rejected (a frame came that cannot be read), tape_full, tape_cut or delisted (no longer listed, or no longer recorded)';

-- Ten seconds: several heartbeats, by the clock of this server. A minute: how far an ingestor may be
-- behind, or its clock, before its streams are taken for lost. Sixty seconds: so long may a frame be
-- under way, see HEARD_MARGIN_US in ingestor/writer/sequence.ts.
create view marketdata.gap_ledger as
with streams as (
  select o.ingestor_id, o.symbol_id, o.channel, o.last_id, o.began_ts, p.covered_until,
    -- Of a symbol that is not listed any more nothing is missing, whoever was there to hear of it.
    case when y.is_active then coalesce(o.deaf_cause, 'restart') else 'delisted' end as cause,
    case
      when o.deaf_cause is not null then coalesce(o.lost_ts, o.ts_exchange)
      when p.updated_at < now() - interval '10 seconds'
        or p.covered_until < now() - interval '1 minute' then o.ts_exchange
        + greatest(p.covered_until - o.ts_ingest - interval '60 seconds', interval '0')
    end as lost_ts,
    case when o.deaf_cause is null then p.covered_until else coalesce(o.lost_at, o.ts_ingest) end
      as detected_at
  from marketdata.stream_offsets o
  join marketdata.symbols y on y.id = o.symbol_id
  left join marketdata.tape_positions p on p.ingestor_id = o.ingestor_id
), lost as (
  -- Another ingestor that goes on with the stream ends the hole where it began to record, or
  -- leaves none. Of several that lost it, only the last one's hole has no end.
  select s.ingestor_id, s.symbol_id, s.channel, s.last_id, s.cause, s.lost_ts, s.detected_at,
    min(greatest(other.began_ts, s.lost_ts)) filter (where other.ingestor_id is not null)
      as resumed_ts
  from streams s
  left join streams other on other.symbol_id = s.symbol_id and other.channel = s.channel
    and other.ingestor_id <> s.ingestor_id and other.covered_until is not null
    and (other.lost_ts is null
      or (other.lost_ts, other.ingestor_id) > (s.lost_ts, s.ingestor_id))
  where s.lost_ts is not null
  group by s.ingestor_id, s.symbol_id, s.channel, s.last_id, s.cause, s.lost_ts, s.detected_at
)
select id, symbol_id, channel, from_ts, to_ts, from_id, to_id, cause, detected_at, repaired_count,
  repaired_at, repair_note, null::text as ingestor_id
from marketdata.gaps
union all
select
  -1 - (hashtextextended(ingestor_id || ' ' || symbol_id || ' ' || channel, 0) & 4503599627370495),
  symbol_id, channel, lost_ts, resumed_ts,
  case when channel in ('book_ticker', 'trades', 'depth_events') then last_id end, null, cause,
  detected_at, 0, null, null, ingestor_id
from lost
where resumed_ts is distinct from lost_ts;
comment on view marketdata.gap_ledger is 'Every hole that is known: the rows of gaps, and those that have not ended, whose to_ts is null: streams that are lost, and all streams of an ingestor that has not written for 10 seconds, or is a minute behind (cause restart).';
comment on column marketdata.gap_ledger.id is 'id in gaps; negative where the hole has no row there yet';
comment on column marketdata.gap_ledger.from_ts is 'as in gaps [UTC]';
comment on column marketdata.gap_ledger.to_ts is 'as in gaps; null: it has not ended [UTC]';
comment on column marketdata.gap_ledger.from_id is 'as in gaps';
comment on column marketdata.gap_ledger.to_id is 'as in gaps; null where it has not ended';
comment on column marketdata.gap_ledger.detected_at is 'our clock when it was noticed; where the whole ingestor is down, when it last wrote [UTC]';
comment on column marketdata.gap_ledger.repaired_count is 'as in gaps';
comment on column marketdata.gap_ledger.repair_note is 'as in gaps';
comment on column marketdata.gap_ledger.cause is 'as in gaps; a hole by delisted that has not ended is the end of the stream, and nothing is missing';
comment on column marketdata.gap_ledger.repaired_at is 'as in gaps [UTC]';
comment on column marketdata.gap_ledger.ingestor_id is 'who lost the stream; null for rows of gaps';
grant select on marketdata.gap_ledger to booktape_reader;
