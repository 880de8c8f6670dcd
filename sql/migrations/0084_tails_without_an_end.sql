-- The newest seconds without an end: before Postgres 17 infinite times cannot be subtracted.
-- Writer: nobody. Readers: edge-api.
-- Safe while the previous build runs: yes (same names, same answers).

do $$
declare
  t record;
begin
  for t in
    select * from (values
      ('bt_1s', '{book_ticker}'), ('trade_1s', '{trades}'), ('depth_1s', '{depth_events,orderbook_topn}')
    ) as made (rollup, sources)
  loop
    execute format($body$
      create or replace function marketdata.%1$I_tail(of_symbol_id bigint, from_ts timestamptz, to_ts timestamptz)
      returns setof marketdata.%1$I language plpgsql stable as $function$
      declare
        begin_ts timestamptz := greatest(date_trunc('second', from_ts),
          (select watermark from marketdata.rollup_watermarks where rollup = %1$L));
        -- A second that is begun belongs to it whole.
        end_ts timestamptz := date_trunc('second', to_ts) + interval '1 second';
        froms timestamptz[] := array[begin_ts];
        tos timestamptz[] := array[end_ts];
      begin
        if begin_ts >= to_ts then
          return;
        end if;
        -- A few hours need no look at what partitions there are.
        if begin_ts < now() - interval '1 hour' and end_ts > begin_ts + interval '4 hours' then
          begin
            select array_agg(s.span_from), array_agg(s.span_to) into froms, tos
            from marketdata.hour_spans(%2$L, begin_ts, end_ts, 4) s;
            raise exception using errcode = 'BT000';
          exception when sqlstate 'BT000' then null;
          end;
        end if;
        for i in 1..coalesce(array_length(froms, 1), 0) loop
          begin
            return query execute 'select * from marketdata.%1$I_of($1, $2, $3)'
              using of_symbol_id, froms[i], tos[i];
            -- What is rolled back gives its locks back; the rows stay.
            raise exception using errcode = 'BT000';
          exception when sqlstate 'BT000' then null;
          end;
        end loop;
      end $function$
      $body$, t.rollup, t.sources);
  end loop;
end $$;
