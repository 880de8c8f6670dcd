/**
 * One partition as one consistent view: what was logged as late, the symbols, and the rows by one
 * sequential COPY, without a sort and without an index.
 */
import copyStreams from 'pg-copy-streams'
import type { Client, Pool } from '#core/node/pool.ts'
import type { Exchange } from '#core/symbols.ts'
import { RAW_TABLES } from '#core/tables.ts'
import { partitionName } from './due-hours.ts'
import type { HourRows, ListedSymbol } from './gather.ts'
import { selectLate } from './late-rows.ts'
import type { TableHour } from './records.ts'

/** A COPY that takes longer has met something that is broken. */
const STATEMENT_LIMIT = '30min'
/** The transaction holds back vacuum: a run that stops asking must let go of it. */
const IDLE_LIMIT = '5min'

/** Adds the partition's rows; ids of the invalidations that they make good. */
export async function copyOut(
  pool: Pool,
  table_hour: TableHour,
  rows: HourRows,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const client = await pool.connect()
  try {
    await client.query('begin isolation level repeatable read read only')
    await client.query(`set local statement_timeout = '${STATEMENT_LIMIT}'`)
    await client.query(`set local idle_in_transaction_session_timeout = '${IDLE_LIMIT}'`)
    const late_ids = await selectLate(client, table_hour)
    if (await hasPartition(client, table_hour)) {
      const listed = await selectListed(client)
      const columns = RAW_TABLES[table_hour.table_name].columns.map(({ name }) => name).join(', ')
      const stream = client.query(
        copyStreams.to(
          `copy marketdata.${partitionName(table_hour)} (${columns}) to stdout (format binary)`,
        ),
      )
      await rows.addTableRows(untilAborted(stream, signal), listed)
    }
    await client.query('commit')
    client.release()
    return late_ids
  } catch (error) {
    // A COPY that was left in the middle cannot be ended politely: its connection goes.
    client.release(true)
    throw error
  }
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

/** It may have been dropped while rows for it were logged as late, and those rolled back. */
async function hasPartition(client: Client, table_hour: TableHour): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>(
    'select to_regclass($1) is not null as found',
    [`marketdata.${partitionName(table_hour)}`],
  )
  return rows[0]!.found
}

async function selectListed(client: Client): Promise<ReadonlyMap<number, ListedSymbol>> {
  const { rows } = await client.query<{ id: string; exchange: Exchange; symbol: string }>(
    'select id, exchange, symbol from marketdata.symbols',
  )
  return new Map(rows.map(({ id, ...listed }) => [Number(id), listed]))
}
