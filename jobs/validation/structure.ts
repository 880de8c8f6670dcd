/** Check `structure`: the raw tables have the shape that this build expects (core/tables.ts). */
import { pendingMigrations } from '#core/node/migrate.ts'
import type { Client } from '#core/node/pool.ts'
import { RAW_TABLES, type Table } from '#core/tables.ts'
import type { Finding } from '#core/validation.ts'
import type { Checked } from './checked.ts'

interface FoundColumn {
  readonly table_name: string
  readonly name: string
  readonly type: string
  readonly nullable: boolean
  /** Position in the primary key, from 1; null for other columns. */
  readonly key_position: number | null
}

export async function checkStructure(client: Client): Promise<Checked> {
  const tables = Object.values(RAW_TABLES)
  const found = await selectColumns(
    client,
    tables.map((table) => table.name),
  )
  const findings = tables.flatMap((table) =>
    compareTable(
      table,
      found.filter((column) => column.table_name === table.name),
    ),
  )
  const pending = await pendingMigrations(client)
  const missing = pending.map((name) =>
    finding(
      'migration_missing',
      null,
      `Migration ${name} is missing: run \`npx booktape migrate\`.`,
    ),
  )
  return {
    looked_at: `${tables.length} tables`,
    row_count: 0,
    findings: [...missing, ...findings],
  }
}

function compareTable(table: Table, found: readonly FoundColumn[]): readonly Finding[] {
  const { name } = table
  if (found.length === 0)
    return [finding('table_missing', name, `Table marketdata.${name} is missing.`)]
  const findings = table.columns.flatMap((column) => {
    const there = found.find((other) => other.name === column.name)
    if (there === undefined) {
      return [finding('column_missing', name, `${name} has no column ${column.name}.`)]
    }
    const type = column.type === 'levels' ? '_float8' : column.type
    const expected = wordsOf(type, column.nullable)
    const is = wordsOf(there.type, there.nullable)
    return is === expected
      ? []
      : [finding('column_differs', name, `${name}.${column.name} is ${is}, expected ${expected}.`)]
  })
  const key = found
    .filter((column) => column.key_position !== null)
    .toSorted((a, b) => a.key_position! - b.key_position!)
    .map((column) => column.name)
    .join(', ')
  const expected_key = table.identity.join(', ')
  if (key === expected_key) return findings
  const sentence = `The primary key of ${name} is (${key}), expected (${expected_key}).`
  return [...findings, finding('key_differs', name, sentence)]
}

function wordsOf(type: string, nullable: boolean): string {
  return nullable ? type : `${type} not null`
}

function finding(code: string, table_name: string | null, sentence: string): Finding {
  return { check: 'structure', code, table_name, symbols: [], sentence }
}

async function selectColumns(
  client: Client,
  names: readonly string[],
): Promise<readonly FoundColumn[]> {
  const { rows } = await client.query<FoundColumn>(
    `select c.relname as table_name, a.attname as name, t.typname as type,
       not a.attnotnull as nullable, array_position(k.conkey, a.attnum) as key_position
     from pg_class c
     join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     join pg_type t on t.oid = a.atttypid
     left join pg_constraint k on k.conrelid = c.oid and k.contype = 'p'
     where c.relnamespace = to_regnamespace('marketdata') and c.relname = any ($1)`,
    [names],
  )
  return rows
}
