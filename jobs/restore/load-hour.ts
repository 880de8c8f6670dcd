/**
 * Loads an hour of a lake table into its partition: from its files in the lake, or from a part of a
 * backup. The caller's transaction decides.
 */
import { once } from 'node:events'
import { finished, pipeline } from 'node:stream/promises'
import type { Readable, Writable } from 'node:stream'
import copyStreams from 'pg-copy-streams'
import { ARCHIVED_TABLES, isRollup } from '#core/archived-tables.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import { COPY_HEADER, COPY_TRAILER } from '#core/node/pg-copy/format.ts'
import type { Client } from '#core/node/pool.ts'
import { HOUR_US, micros, toIso } from '#core/time.ts'
import { encodeRows } from '../archive/encode-rows.ts'
import type { ArchivedFile, TableHour } from '../archive/records.ts'
import { rereadFile } from '../archive/stored-file.ts'

/** Symbol ids by `exchange symbol`. */
export type SymbolIds = ReadonlyMap<string, number>

export async function selectSymbolIds(client: Client): Promise<SymbolIds> {
  const { rows } = await client.query<{ id: string; name: string }>(
    "select id, exchange || ' ' || symbol as name from marketdata.symbols",
  )
  return new Map(rows.map(({ id, name }) => [name, Number(id)]))
}

/** Rows are encoded in batches of this size. */
const BATCH_ROWS = 4_096

/** Loads the newest file of each exchange, and compares it with its record. Returns the rows. */
export async function loadFromLake(
  client: Client,
  store: ObjectStore,
  table_hour: TableHour,
  files: readonly ArchivedFile[],
  symbol_ids: SymbolIds,
  path: string,
): Promise<number> {
  const table = ARCHIVED_TABLES[table_hour.table_name]
  return loadRows(client, table_hour, async (sink) => {
    await write(sink, COPY_HEADER)
    for (const file of files) {
      await rereadFile(store, file, path, async (symbol, rows) => {
        const symbol_id = symbol_ids.get(`${file.exchange} ${symbol}`)!
        for (let from = 0; from < rows.row_count; from += BATCH_ROWS) {
          const to = Math.min(rows.row_count, from + BATCH_ROWS)
          await write(sink, encodeRows(table, rows, from, to, symbol_id).bytes)
        }
      })
    }
    sink.end(COPY_TRAILER)
  })
}

/** Loads a part of a backup. */
export function loadFromPart(
  client: Client,
  table_hour: TableHour,
  rows: Readable,
): Promise<number> {
  return loadRows(client, table_hour, (sink) => pipeline(rows, sink))
}

/** What is there already stays; the rows of both count once. Returns the rows of the hour. */
async function loadRows(
  client: Client,
  table_hour: TableHour,
  send: (sink: Writable) => Promise<void>,
): Promise<number> {
  const { table_name, hour } = table_hour
  const table = ARCHIVED_TABLES[table_name]
  const ensure = isRollup(table_name) ? 'ensure_day' : 'ensure_hour'
  await client.query(`select marketdata.${ensure}($1, $2)`, [table_name, toIso(hour)])
  const columns = table.columns.map(({ name }) => name).join(', ')
  const has_rows = (await countRows(client, table_hour)) > 0
  const into = has_rows ? `pg_temp.restored` : `marketdata.${table_name}`
  if (has_rows) {
    await client.query(
      `create temp table restored on commit drop as
       select ${columns} from marketdata.${table_name} with no data`,
    )
  }
  const sink = client.query(
    copyStreams.from(`copy ${into} (${columns}) from stdin (format binary)`),
  )
  await Promise.all([finished(sink), send(sink)])
  if (has_rows) {
    await client.query(
      `insert into marketdata.${table_name} (${columns}) select ${columns} from pg_temp.restored
       on conflict do nothing`,
    )
    await client.query('drop table pg_temp.restored')
  }
  return countRows(client, table_hour)
}

async function countRows(client: Client, { table_name, hour }: TableHour): Promise<number> {
  const [, time] = ARCHIVED_TABLES[table_name].identity
  const { rows } = await client.query<{ count: string }>(
    `select count(*) from marketdata.${table_name}
     where ${time} >= '${toIso(hour)}' and ${time} < '${toIso(micros(hour + HOUR_US))}'`,
  )
  return Number(rows[0]!.count)
}

async function write(sink: Writable, bytes: Buffer): Promise<void> {
  if (!sink.write(bytes)) await once(sink, 'drain')
}
