-- What operators see and did: ingestors that run, and every change that was made to one.
-- Writer: ingestor. Readers: console, people.
-- Identity: ingestors by ingestor_id; audit by audit_id, so that reading a log again adds nothing.
-- Safe while the previous build runs: yes (new tables).

create table marketdata.ingestors (
  ingestor_id text not null,
  exchange text not null,
  host text not null,
  pid integer not null,
  version text not null,
  started_at timestamptz not null,
  endpoint text,
  state text not null,
  recording text not null,
  revision integer not null,
  symbols_wanted integer not null,
  streams_wanted integer not null,
  streams_heard integer not null,
  seen_at timestamptz not null,
  constraint ingestors_pkey primary key (ingestor_id)
);
comment on table marketdata.ingestors is 'The ingestors that have run on this database, each with its last heartbeat (one every ten seconds).';
comment on column marketdata.ingestors.host is 'name of its machine';
comment on column marketdata.ingestors.pid is 'its process there';
comment on column marketdata.ingestors.version is 'version of its build';
comment on column marketdata.ingestors.started_at is 'when it started [UTC]';
comment on column marketdata.ingestors.endpoint is 'its admin API: unix:PATH on its machine, or an http URL; null: it serves none';
comment on column marketdata.ingestors.state is 'starting, live, catching_up, database_away, tape_full, paused or stopped';
comment on column marketdata.ingestors.recording is 'what is wanted: recording or paused';
comment on column marketdata.ingestors.revision is 'revision of what is wanted; 0: as its environment says';
comment on column marketdata.ingestors.symbols_wanted is 'symbols that it is to record';
comment on column marketdata.ingestors.streams_wanted is 'streams that it is to record';
comment on column marketdata.ingestors.streams_heard is 'streams that an open socket carries';
comment on column marketdata.ingestors.seen_at is 'its last heartbeat, by the clock of this server [UTC]';

create table marketdata.audit (
  audit_id uuid not null,
  at timestamptz not null,
  program text not null,
  instance text not null,
  actor text not null,
  origin text not null,
  action text not null,
  request jsonb not null,
  revision integer not null,
  before jsonb not null,
  after jsonb not null,
  result jsonb,
  constraint audit_pkey primary key (audit_id)
);
create index audit_at_idx on marketdata.audit (at);
comment on table marketdata.audit is 'Every change that an operator made to a running program; a copy of the log on its disk (audit.ndjson beside the tape). Rows are only added.';
comment on column marketdata.audit.audit_id is 'of the line in the log';
comment on column marketdata.audit.at is 'when the change was made, by the clock of the program [UTC]';
comment on column marketdata.audit.program is 'ingestor';
comment on column marketdata.audit.instance is 'which of them: INGESTOR_ID';
comment on column marketdata.audit.actor is 'who: name of the token, local (unix socket), or environment; with "for NAME" where the caller says so';
comment on column marketdata.audit.origin is 'from where: unix socket, IP address, or start';
comment on column marketdata.audit.action is 'recording, symbols, scale, channels, depth, or environment (what it says is wanted again, or a setting was changed there)';
comment on column marketdata.audit.request is 'what was asked for';
comment on column marketdata.audit.revision is 'of what is wanted, after the change';
comment on column marketdata.audit.before is 'what was wanted before';
comment on column marketdata.audit.after is 'what is wanted since';
comment on column marketdata.audit.result is 'what it did: symbols and streams added, removed and kept; null for environment, before anything is recorded';
