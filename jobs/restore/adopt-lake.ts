/**
 * Hours that were archived after the backup was made: their files and the day's index are in the
 * lake, and the restored database does not know them. Each is read once, to have its checksums.
 */
import type { ArchivedHour, ArchiveIndex } from '#core/archive.ts'
import { isDerived } from '#core/archived-tables.ts'
import { OperatorError } from '#core/errors.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import type { Client } from '#core/node/pool.ts'
import { ARCHIVE_PREFIXES, indexKeyOf } from '#core/object-keys.ts'
import { HOUR_US } from '#core/time.ts'
import { sumFile } from '../archive/stored-file.ts'
import type { Checksums } from '../columns/checksum.ts'

/** Returns the hours that were added, as dropped from Postgres. In the caller's transaction. */
export async function adoptLake(
  client: Client,
  store: ObjectStore,
  path: string,
): Promise<readonly ArchivedHour[]> {
  const { rows } = await client.query<{ object_key: string }>(
    'select object_key from marketdata.archive',
  )
  const known = new Set(rows.map(({ object_key }) => object_key))
  const adopted: ArchivedHour[] = []
  for (const index_key of await indexesOfUnknown(store, known)) {
    for (const hour of await readIndex(store, index_key)) {
      if (known.has(hour.object_key)) continue
      const symbols = new Set<string>()
      const sums = await sumFile(store, hour, path, async (symbol) => void symbols.add(symbol))
      if (sums.row_count !== hour.row_count) throw differs(hour, sums.row_count)
      await addSymbols(client, hour.exchange, [...symbols])
      await addRecord(client, hour, sums.toChecksums())
      adopted.push(hour)
    }
  }
  return adopted
}

/** An index is read only if its day has a file that the database does not know. */
async function indexesOfUnknown(
  store: ObjectStore,
  known: ReadonlySet<string>,
): Promise<readonly string[]> {
  const indexes = new Set<string>()
  for (const prefix of ARCHIVE_PREFIXES) {
    for (const { key } of await store.list(prefix)) {
      const index_key = indexKeyOf(key)
      if (index_key !== undefined && !known.has(key)) indexes.add(index_key)
    }
  }
  return [...indexes].toSorted()
}

/** A file that no index names was left by a run that was killed. */
async function readIndex(store: ObjectStore, key: string): Promise<readonly ArchivedHour[]> {
  const bytes = await store.get(key)
  if (bytes === undefined) return []
  return (JSON.parse(Buffer.from(bytes).toString('utf8')) as ArchiveIndex).hours
}

/** Their facts come with the exchange's next listing. */
async function addSymbols(
  client: Client,
  exchange: string,
  symbols: readonly string[],
): Promise<void> {
  await client.query(
    `insert into marketdata.symbols (exchange, symbol)
     select $1, name from unnest($2::text[]) as name
     where not exists (
       select from marketdata.symbols where exchange = $1 and symbol = name
     )`,
    [exchange, symbols],
  )
}

async function addRecord(client: Client, hour: ArchivedHour, checksums: Checksums): Promise<void> {
  await client.query(
    `insert into marketdata.archive
       (exchange, table_name, hour, version, object_key, row_count, byte_count, sha256, checksums,
        min_ts_exchange, max_ts_exchange, archived_at, table_row_count, indexed_at, dropped_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, now(), 0, now(), now())`,
    [
      hour.exchange,
      hour.table_name,
      hour.hour,
      hour.version,
      hour.object_key,
      hour.row_count,
      hour.byte_count,
      hour.sha256,
      checksums,
      hour.min_ts_exchange,
      hour.max_ts_exchange,
    ],
  )
  // Rows of the hour that come from the tape again have to be logged as late ones.
  await client.query(
    `select marketdata.raise_invalidation_threshold($1,
       $2::timestamptz + make_interval(secs => $3))`,
    [
      isDerived(hour.table_name) ? `archive.${hour.table_name}` : hour.table_name,
      hour.hour,
      HOUR_US / 1_000_000,
    ],
  )
}

function differs({ object_key, row_count }: ArchivedHour, found: number): OperatorError {
  return new OperatorError(
    'archive_differs',
    `${object_key} has ${found} rows, but its index says ${row_count}.`,
    { hint: 'Check the object store. An older version of the file may still be whole.' },
  )
}
