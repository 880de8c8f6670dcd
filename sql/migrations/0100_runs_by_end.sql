-- Metrics and the console look up a job's last success and the newest runs, however many there are.
-- Writer: jobs. Readers: jobs, console, edge-api.
-- Safe while the previous build runs: yes (only indexes).

create index job_runs_done_idx on marketdata.job_runs (job, finished_at) where status = 'done';
create index job_runs_started_idx on marketdata.job_runs (started_at);
