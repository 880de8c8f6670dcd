-- spread and mid of a quote are the doubles nearest to the exact values of the exchange's decimals:
-- 61800.3 - 61800.2 is 0.1. A double's text is its shortest decimal, which is the exchange's.
-- Writer: none (generated). Readers: people, edge-api.
-- Safe while the previous build runs: yes. Below Postgres 18 it rewrites the quotes that are there.

do $$
declare
  spread text := '(best_ask::text::numeric - best_bid::text::numeric)::double precision';
  mid text := '((best_ask::text::numeric + best_bid::text::numeric) * 0.5)::double precision';
begin
  if current_setting('server_version_num')::int >= 180000 then
    execute format('alter table marketdata.book_ticker
      alter column spread set expression as (%s), alter column mid set expression as (%s)', spread, mid);
  else
    execute format('alter table marketdata.book_ticker drop column spread, drop column mid,
      add column spread double precision generated always as (%s) stored,
      add column mid double precision generated always as (%s) stored', spread, mid);
    comment on column marketdata.book_ticker.spread is 'best_ask - best_bid; null where a side is empty [quote asset]';
    comment on column marketdata.book_ticker.mid is '(best_ask + best_bid) / 2; null where a side is empty [quote asset]';
  end if;
end $$;
