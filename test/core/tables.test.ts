import { expect, test } from 'vitest'
import { FACT_TABLES } from '#core/fact-tables.ts'
import { RAW_TABLES } from '#core/tables.ts'
import { createTestDatabase } from '../support/database.ts'

const { pool } = await createTestDatabase()

async function columnsOf(table: string): Promise<readonly unknown[]> {
  const { rows } = await pool.query(
    `select attname as name, typname as type, not attnotnull as nullable
     from pg_attribute a join pg_type t on t.oid = a.atttypid
     where attrelid = $1::regclass and attnum > 0 and attgenerated = '' order by attnum`,
    [`marketdata.${table}`],
  )
  return rows
}

async function keyOf(table: string): Promise<readonly string[]> {
  const { rows } = await pool.query<{ name: string }>(
    `select attname as name from pg_constraint c
     cross join unnest(conkey) with ordinality k (attnum, position)
     join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.attnum
     where conrelid = $1::regclass and contype = 'p' order by position`,
    [`marketdata.${table}`],
  )
  return rows.map(({ name }) => name)
}

for (const table of Object.values(RAW_TABLES)) {
  test(`${table.name}: core/tables.ts and the database agree on columns, types, nulls and key`, async () => {
    expect(await columnsOf(table.name)).toEqual(
      table.columns.map(({ name, type, nullable }) => {
        return { name, type: type === 'levels' ? '_float8' : type, nullable }
      }),
    )
    expect(await keyOf(table.name)).toEqual(table.identity)
  })
}

for (const table of Object.values(FACT_TABLES)) {
  test(`${table.name}: core/fact-tables.ts and the database agree`, async () => {
    const expected = table.columns.map(({ name, type, nullable }) => {
      const is_small = name === 'interval_s' || name === 'interval_h'
      return { name, type: is_small ? 'int4' : type, nullable }
    })
    const found = await columnsOf(table.name)
    expect(found).toHaveLength(expected.length + 1)
    expect(found).toEqual(
      expect.arrayContaining([{ name: 'symbol_id', type: 'int8', nullable: false }, ...expected]),
    )
    expect(await keyOf(table.name)).toEqual(['symbol_id', ...table.key])
  })
}

test('ensure_hour creates the partition once, even if many sessions call it repeatedly', async () => {
  const hour = '2024-08-08T23:54:16Z'
  await Promise.all(
    Array.from({ length: 4 }, () =>
      pool.query(`select marketdata.ensure_hour('trades', $1)`, [hour]),
    ),
  )
  await pool.query(
    `insert into marketdata.trades values ($1, $1, 1, 1, 1, 1, null, null, null, true)`,
    [hour],
  )
  const { rows } = await pool.query(
    'select tableoid::regclass::text as part from marketdata.trades',
  )
  expect(rows).toEqual([{ part: 'marketdata.trades_2024080823' }])
  await expect(pool.query(`select marketdata.ensure_hour('symbols', $1)`, [hour])).rejects.toThrow(
    'symbols is not partitioned by the hour',
  )
})

test('spread and mid are computed by the database', async () => {
  await pool.query(`select marketdata.ensure_hour('book_ticker', '2024-08-08T23:00:00Z')`)
  await pool.query(
    `insert into marketdata.book_ticker values ('2024-08-08T23:10:00Z', '2024-08-08T23:10:00Z', 1, 1, 100, 102, 1, 1)`,
  )
  const { rows } = await pool.query('select spread, mid from marketdata.book_ticker')
  expect(rows).toEqual([{ spread: 2, mid: 101 }])
})
