-- Index prices with as many digits as the exchange gives: 0.0000123456 was stored as 0.00001235.
-- Writers: ingestor, jobs. Readers: edge-api, jobs.
-- Safe while the previous build runs: yes. Lifting a limit rewrites no row.

alter table marketdata.prices alter column price type numeric;
comment on column marketdata.prices.price is 'value of the index, every digit that the exchange gave [quote asset]';
