/**
 * index.json of a day: the newest file of every hour, for readers without the database. It is built
 * only from committed rows of marketdata.archive. A row records whether an index names it, so if a
 * run is killed in between, the next run writes the index.
 */
import type { ArchiveIndex } from '#core/archive.ts'
import type { ArchivedTable } from '#core/archived-tables.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import { inTransaction, type Pool } from '#core/node/pool.ts'
import { archiveIndexKey } from '#core/object-keys.ts'
import type { Exchange } from '#core/symbols.ts'
import { type Day, dayRange } from '#core/time.ts'
import { selectArchivedHours } from './records.ts'

interface IndexedDay {
  readonly exchange: Exchange
  readonly table_name: ArchivedTable
  readonly date: Day
}

/** Writes every index that lacks a file. */
export async function writeIndexes(pool: Pool, store: ObjectStore): Promise<void> {
  const { rows } = await pool.query<IndexedDay>(
    `select distinct exchange, table_name,
       to_char(hour at time zone 'UTC', 'YYYY-MM-DD') as date
     from marketdata.archive where indexed_at is null`,
  )
  for (const day of rows) await writeIndex(pool, store, day)
}

/** Writers of one day take turns, so that the later and more complete index stays. */
async function writeIndex(pool: Pool, store: ObjectStore, day: IndexedDay): Promise<void> {
  const { exchange, table_name, date } = day
  const key = archiveIndexKey(table_name, exchange, date)
  const { from, to } = dayRange(date)
  await inTransaction(pool, async (client) => {
    await client.query('select pg_advisory_xact_lock(hashtext($1), hashtext($2))', [LOCK, key])
    const hours = await selectArchivedHours(client, { exchange, table_name, from, to })
    const index: ArchiveIndex = { exchange, table_name, date, hours }
    await store.put(key, `${JSON.stringify(index, null, 2)}\n`, 'application/json')
    await client.query(
      `update marketdata.archive a set indexed_at = now()
       from unnest($3::timestamptz[], $4::int[]) as named (hour, version)
       where a.exchange = $1 and a.table_name = $2 and a.hour = named.hour
         and a.version <= named.version and a.indexed_at is null`,
      [exchange, table_name, hours.map(({ hour }) => hour), hours.map(({ version }) => version)],
    )
  })
}

const LOCK = 'booktape.archive_index'
