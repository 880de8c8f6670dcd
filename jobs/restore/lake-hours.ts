/** Hours of the lake that become partitions of Postgres again. */
import type { ArchivedTable } from '#core/archived-tables.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import type { Client, Pool } from '#core/node/pool.ts'
import { type Micros, micros, toIso } from '#core/time.ts'
import { selectNewestFiles, type TableHour } from '../archive/records.ts'
import { loadFromLake, type SymbolIds } from './load-hour.ts'

/** Archived hours in [from, to) whose rows Postgres lacks, oldest first. */
export async function selectLakeHours(
  client: Client | Pool,
  { from, to }: { readonly from: Micros; readonly to: Micros },
): Promise<readonly TableHour[]> {
  const { rows } = await client.query<{ table_name: ArchivedTable; hour: number }>(
    `select table_name, (extract(epoch from hour) * 1000000)::float8 as hour
     from marketdata.archive where hour >= $1 and hour < $2
     group by table_name, hour having bool_or(dropped_at is not null)
     order by archive.hour, table_name`,
    [toIso(from), toIso(to)],
  )
  return rows.map(({ table_name, hour }) => ({ table_name, hour: micros(hour) }))
}

/** In the caller's transaction. Returns the rows of the hour. */
export async function loadLakeHour(
  client: Client,
  store: ObjectStore,
  table_hour: TableHour,
  symbol_ids: SymbolIds,
  path: string,
): Promise<number> {
  const files = await selectNewestFiles(client, table_hour)
  const row_count = await loadFromLake(client, store, table_hour, files, symbol_ids, path)
  await client.query(
    `update marketdata.archive a set dropped_at = null,
       table_row_count = case when version = (
         select max(version) from marketdata.archive n
         where n.exchange = a.exchange and n.table_name = a.table_name and n.hour = a.hour
       ) then row_count else 0 end
     where table_name = $1 and hour = $2`,
    [table_hour.table_name, toIso(table_hour.hour)],
  )
  return row_count
}
