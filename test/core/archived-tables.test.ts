import { expect, test } from 'vitest'
import { ARCHIVED_TABLES, DERIVED_TABLES } from '#core/archived-tables.ts'
import { createTestDatabase } from '../support/database.ts'

const { pool } = await createTestDatabase()

for (const name of DERIVED_TABLES) {
  test(`${name}: columns match the database, with time and symbol first`, async () => {
    const { columns, identity } = ARCHIVED_TABLES[name]
    const { rows } = await pool.query<{ name: string; type: string }>(
      `select attname as name, typname as type
       from pg_attribute a join pg_type t on t.oid = a.atttypid
       where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attnum`,
      [`marketdata.${name}`],
    )
    const first = [identity[1], 'symbol_id']
    const rest = rows.filter((column) => !first.includes(column.name))
    expect(columns.map(({ name: column, type }) => ({ name: column, type }))).toEqual([
      { name: identity[1], type: 'timestamptz' },
      { name: 'symbol_id', type: 'int8' },
      ...rest,
    ])
    const thresholds = await pool.query(
      "select from marketdata.invalidation_thresholds where table_name = $1 and consumers = '{archive}'",
      [`archive.${name}`],
    )
    expect(thresholds.rowCount).toBe(1)
  })
}
