-- One row a run of a job. Writer: jobs. Readers: people, edge-api.
-- Safe while the previous build runs: yes.

create table marketdata.job_runs (
  id bigint generated always as identity,
  job text not null,
  job_window text not null,
  status text not null,
  attempt integer not null,
  started_at timestamptz not null,
  finished_at timestamptz,
  row_count bigint,
  byte_count bigint,
  error text,
  log_lines jsonb not null default '[]',
  constraint job_runs_pkey primary key (id),
  constraint job_runs_status_check check (status in ('running', 'done', 'failed'))
);
create index job_runs_job_idx on marketdata.job_runs (job, job_window, started_at);
comment on table marketdata.job_runs is 'Every run of a job, with its log.';
comment on column marketdata.job_runs.job_window is 'what the run was for: a UTC day (YYYY-MM-DD) or an hour';
comment on column marketdata.job_runs.status is 'running, done or failed';
comment on column marketdata.job_runs.attempt is '1 for the first try';
comment on column marketdata.job_runs.row_count is 'rows written';
comment on column marketdata.job_runs.byte_count is 'bytes published [bytes]';
comment on column marketdata.job_runs.error is 'the last error, as a sentence';
comment on column marketdata.job_runs.log_lines is 'array of {ts, level, msg, ...}';
