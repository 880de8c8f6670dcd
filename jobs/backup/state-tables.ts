/** Tables outside the lake: their columns, their checksums, and COPY in both directions. */
import copyStreams from 'pg-copy-streams'
import { pipeline } from 'node:stream/promises'
import type { Readable } from 'node:stream'
import type { Client } from '#core/node/pool.ts'
import type { Checksums } from '../columns/checksum.ts'

export interface TableSums {
  readonly row_count: number
  readonly checksums: Checksums
}

/** Text of values depends on these settings. Until the transaction ends. */
export async function fixFormats(client: Client): Promise<void> {
  await client.query(`
    set local timezone to 'UTC'; set local datestyle to 'ISO, YMD';
    set local intervalstyle to 'postgres'; set local extra_float_digits to 1;
    set local bytea_output to 'hex'`)
}

/** The columns that hold data: not the generated ones. */
export async function columnsOf(client: Client, table_name: string): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select attname as name from pg_attribute
     where attrelid = $1::regclass and attnum > 0 and not attisdropped and attgenerated = ''
     order by attnum`,
    [`marketdata.${table_name}`],
  )
  return rows.map(({ name }) => name)
}

/** Hex digits of the md5 of a value that are summed. */
const DIGITS = 15

/**
 * Per column the sum of hashes of its values as text, and under `(row)` that of whole rows: the
 * same for the same rows in any order, in every version of Postgres.
 */
export async function sumTable(
  client: Client,
  table_name: string,
  columns: readonly string[],
): Promise<TableSums> {
  const names = columns.map((name) => client.escapeIdentifier(name))
  const summed = [...names.map((name) => `${name}::text`), `row(${names.join(', ')})::text`].map(
    (text, i) =>
      `coalesce(sum(coalesce(('x' || substr(md5(${text}), 1, ${DIGITS}))::bit(60)::bigint, 1)), 0)::text
        as c${i}`,
  )
  const { rows } = await client.query<Record<string, string>>(
    `select count(*)::text as row_count, ${summed.join(', ')} from marketdata.${table_name}`,
  )
  const [found] = rows
  const checksums = [...columns, '(row)'].map((name, i) => [name, found![`c${i}`]!])
  return { row_count: Number(found!['row_count']), checksums: Object.fromEntries(checksums) }
}

export function copyTableOut(
  client: Client,
  table_name: string,
  columns: readonly string[],
): AsyncIterable<Buffer> {
  const names = columns.map((name) => client.escapeIdentifier(name)).join(', ')
  return client.query(copyStreams.to(`copy marketdata.${table_name} (${names}) to stdout`))
}

export async function copyTableIn(
  client: Client,
  table_name: string,
  columns: readonly string[],
  rows: Readable,
): Promise<void> {
  const names = columns.map((name) => client.escapeIdentifier(name)).join(', ')
  const sink = client.query(copyStreams.from(`copy marketdata.${table_name} (${names}) from stdin`))
  await pipeline(rows, sink)
}
