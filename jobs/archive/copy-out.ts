/**
 * Reads an hour of a table as one consistent view: what the archive has of it, log entries of late
 * rows, the symbols, and the rows by one sequential COPY, without a sort and without an index.
 */
import copyStreams from 'pg-copy-streams'
import { ARCHIVED_TABLES, isRollup } from '#core/archived-tables.ts'
import type { Client, Pool } from '#core/node/pool.ts'
import type { Exchange } from '#core/symbols.ts'
import { HOUR_US, micros, toIso } from '#core/time.ts'
import { relationOf } from './due-hours.ts'
import type { HourRows, ListedSymbol } from './gather.ts'
import { selectLate } from './late-rows.ts'
import { type ArchiveRecord, selectNewest, type TableHour } from './records.ts'

/** A COPY that takes longer has run into a fault. */
const STATEMENT_LIMIT = '30min'
/** The transaction holds back vacuum, so a run that stops reading must not keep it open. */
const IDLE_LIMIT = '5min'

export interface CopiedOut {
  /** The newest version of each exchange. */
  readonly newest: ReadonlyMap<Exchange, ArchiveRecord>
  /** Ids of the invalidations that the rows settle. */
  readonly late_ids: readonly string[]
}

/** Adds the partition's rows. */
export async function copyOut(
  pool: Pool,
  table_hour: TableHour,
  rows: HourRows,
  signal: AbortSignal,
): Promise<CopiedOut> {
  const client = await pool.connect()
  try {
    await client.query('begin isolation level repeatable read read only')
    await client.query(`set local statement_timeout = '${STATEMENT_LIMIT}'`)
    await client.query(`set local idle_in_transaction_session_timeout = '${IDLE_LIMIT}'`)
    await keepPartition(client, table_hour)
    const newest = await selectNewest(client, table_hour)
    const late_ids = await selectLate(client, table_hour)
    if (await hasPartition(client, table_hour)) {
      const listed = await selectListed(client)
      const stream = client.query(copyStreams.to(copySql(table_hour)))
      await rows.addTableRows(untilAborted(stream, signal), listed)
    }
    await client.query('commit')
    client.release()
    return { newest, late_ids }
  } catch (error) {
    // An unfinished COPY cannot be ended cleanly, so its connection is closed.
    client.release(true)
    throw error
  }
}

/**
 * Retention drops a rollup's day without the lock of its hours. With the parent locked before the
 * first read, a day that the records do not call dropped is there, so no row means an empty hour.
 */
async function keepPartition(client: Client, { table_name }: TableHour): Promise<void> {
  if (!isRollup(table_name)) return
  await client.query(`lock table only marketdata.${table_name} in access share mode`)
}

/** A rollup is filtered to the hour, because its partitions span a day. */
export function copySql(table_hour: TableHour): string {
  const { table_name, hour } = table_hour
  const { columns, identity } = ARCHIVED_TABLES[table_name]
  const names = columns.map(({ name }) => name).join(', ')
  const relation = `marketdata.${relationOf(table_hour)}`
  if (!isRollup(table_name)) return `copy ${relation} (${names}) to stdout (format binary)`
  const [from, to] = [hour, micros(hour + HOUR_US)].map((ts) => `timestamptz '${toIso(ts)}'`)
  const rows = `select ${names} from ${relation} where ${identity[1]} >= ${from} and ${identity[1]} < ${to}`
  return `copy (${rows}) to stdout (format binary)`
}

async function* untilAborted(
  stream: AsyncIterable<Buffer>,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  for await (const chunk of stream) {
    signal.throwIfAborted()
    yield chunk
  }
}

/** The partition may be gone: dropped while the transaction that logged late rows rolled back. */
async function hasPartition(client: Client, table_hour: TableHour): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>(
    'select to_regclass($1) is not null as found',
    [`marketdata.${relationOf(table_hour)}`],
  )
  return rows[0]!.found
}

async function selectListed(client: Client): Promise<ReadonlyMap<number, ListedSymbol>> {
  const { rows } = await client.query<{ id: string; exchange: Exchange; symbol: string }>(
    'select id, exchange, symbol from marketdata.symbols',
  )
  return new Map(rows.map(({ id, ...listed }) => [Number(id), listed]))
}
