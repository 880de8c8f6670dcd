/** The figures of the last hour, in marketdata.console_history. */
import type { Pool } from '#core/node/pool.ts'
import type { HistoryPoint } from '../wire.ts'
import { select } from './read.ts'

export interface HistoryStore {
  /** Of the last hour, oldest first. */
  load(): Promise<readonly HistoryPoint[]>
  /** Adds points, and removes what is older than an hour. */
  save(points: readonly HistoryPoint[]): Promise<void>
}

const KEPT = "interval '1 hour'"

export function createHistoryStore(pool: Pool): HistoryStore {
  return {
    async load() {
      const rows = await select<{ point: HistoryPoint }>(
        pool,
        `select jsonb_build_array(extract(epoch from at)::bigint, events_per_s, rows_per_s, lag_ms,
           backlog_bytes) as point
         from marketdata.console_history where at > now() - ${KEPT} order by at`,
      )
      return rows.map(({ point }) => point)
    },
    async save(points) {
      await select(
        pool,
        `with old as (delete from marketdata.console_history where at < now() - ${KEPT})
         insert into marketdata.console_history
           (at, events_per_s, rows_per_s, lag_ms, backlog_bytes)
         select to_timestamp((p ->> 0)::float8), (p ->> 1)::float8, (p ->> 2)::float8,
           (p ->> 3)::float8, (p ->> 4)::float8
         from jsonb_array_elements($1::jsonb) p
         on conflict (at) do nothing`,
        [JSON.stringify(points)],
      )
    },
  }
}
