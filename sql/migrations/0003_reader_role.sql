-- What the edge may read, and nothing else. The login that uses it is made by the installation
-- (`booktape_edge` in the local stack) and is a member of this role.
-- Safe while the previous build runs: yes.

do $$
begin
  if not exists (select from pg_roles where rolname = 'booktape_reader') then
    create role booktape_reader nologin;
  end if;
end $$;
grant usage on schema marketdata to booktape_reader;
grant select on marketdata.symbols, marketdata.book_ticker, marketdata.trades, marketdata.gaps,
  marketdata.job_runs to booktape_reader;
