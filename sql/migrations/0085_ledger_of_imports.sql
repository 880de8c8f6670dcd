-- What makes no claim (covered_until is null: an import, a replay) leaves no hole beyond its last
-- event, however long ago it was. The view took it for an ingestor that is down as soon as it had not
-- written for ten seconds: the same recording made other datasets on a slow machine.
-- Writer: ingestor. Readers of the view: jobs, edge-api, people.
-- Safe while the previous build runs: yes (the view's columns are what they were).

create or replace view marketdata.gap_ledger as
with streams as (
  select o.ingestor_id, o.symbol_id, o.channel, o.last_id, o.began_ts, p.covered_until,
    -- Of a symbol that is not listed any more nothing is missing, whoever was there to hear of it.
    case when y.is_active then coalesce(o.deaf_cause, 'restart') else 'delisted' end as cause,
    case
      when o.deaf_cause is not null then coalesce(o.lost_ts, o.ts_exchange)
      when p.covered_until is null then null
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
