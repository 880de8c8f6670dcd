-- Ids of the trades that are stored of a span, for the check whether a hole is filled: eight hours
-- after the other, so that a hole of days does not lock the partitions of all of them.
-- Writer: nobody. Readers: ingestor.
-- Safe while the previous build runs: yes (new function).

create function marketdata.trade_ids(of_symbol_id bigint, from_ts timestamptz, to_ts timestamptz,
  from_id bigint, to_id bigint)
returns table (agg_trade_id bigint, first_trade_id bigint, last_trade_id bigint)
language plpgsql stable as $$
declare
  span record;
begin
  for span in select * from marketdata.hour_spans('{trades}', from_ts, to_ts, 8) loop
    begin
      return query execute 'select agg_trade_id, first_trade_id, last_trade_id from marketdata.trades
          where symbol_id = $1 and ts_exchange >= $2 and ts_exchange < $3
            and agg_trade_id between $4 and $5'
        using of_symbol_id, span.span_from, span.span_to, from_id, to_id;
      -- What is rolled back gives its locks back; the rows stay.
      raise exception using errcode = 'BT000';
    exception when sqlstate 'BT000' then null;
    end;
  end loop;
end $$;
comment on function marketdata.trade_ids is 'Trades of one symbol in [from_ts, to_ts) with ids between from_id and to_id, both inclusive.';
