-- What the checks of the recorded data found, so that a reader need not run them again.
-- Writer: jobs (validation). Readers: edge-api, console.
-- Identity: checked_at.
-- Safe while the previous build runs: yes (new table).

create table marketdata.validation_reports (
  checked_at timestamptz not null,
  finding_count integer not null,
  report jsonb not null,
  constraint validation_reports_pkey primary key (checked_at)
);
comment on table marketdata.validation_reports is 'Reports of the job validation, one every five minutes, of the last seven days.';
comment on column marketdata.validation_reports.checked_at is 'the time that the report is about [UTC]';
comment on column marketdata.validation_reports.finding_count is 'findings in the report; 0: all is well';
comment on column marketdata.validation_reports.report is 'what each check covered and found: core/validation.ts';

grant select on marketdata.validation_reports to booktape_reader;
