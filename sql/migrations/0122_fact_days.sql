-- Days whose imported facts have changed, so that their datasets are built.
-- Writers: `npx booktape import`, the job `facts`. Readers: jobs.
-- Identity: the table and the UTC day.
-- Safe while the previous build runs: yes (a new table). A previous build that imports facts does not
-- note their days; `npx booktape jobs run facts --date` builds them.

create table marketdata.fact_days (
  table_name text not null,
  date date not null,
  change_count bigint not null,
  built_count bigint not null default 0,
  constraint fact_days_pkey primary key (table_name, date)
);
create index fact_days_due_idx on marketdata.fact_days (date) where built_count < change_count;
comment on table marketdata.fact_days is 'Days of klines, open_interest, funding_rates and book_depth that files were imported of, and whether their datasets have the newest rows.';
comment on column marketdata.fact_days.table_name is 'klines, open_interest, funding_rates or book_depth';
comment on column marketdata.fact_days.date is 'UTC day';
comment on column marketdata.fact_days.change_count is 'imports that changed rows of the day';
comment on column marketdata.fact_days.built_count is 'change_count that the published dataset has; smaller: the day is to be built';
grant select on marketdata.fact_days to booktape_reader;

insert into marketdata.fact_days (table_name, date, change_count)
select i.table_name, (day at time zone 'UTC')::date, count(*)
from marketdata.imports i, lateral generate_series(
  i.from_ts, i.to_ts - interval '1 day', interval '1 day') as day
where i.table_name in ('klines', 'open_interest', 'funding_rates', 'book_depth')
group by 1, 2;
