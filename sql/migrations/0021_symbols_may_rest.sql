-- Markets with sessions (stocks, commodities): their silence between sessions is no fault.
-- Writer: ingestor. Readers: jobs. Safe while the previous build runs: yes (a column with a default).

alter table marketdata.symbols add column may_rest boolean not null default false;
comment on column marketdata.symbols.may_rest is 'the underlying is traded in sessions: quotes, trades and books may be silent between them';
