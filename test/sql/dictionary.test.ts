import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { dataDictionary } from '../../sql/dictionary.ts'
import { createTestDatabase } from '../support/database.ts'

const FILE = new URL('../../sql/README.md', import.meta.url)
const { pool } = await createTestDatabase()

test('sql/README.md matches the catalog', async () => {
  const dictionary = await dataDictionary(pool)
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(FILE, dictionary)
  expect(readFileSync(FILE, 'utf8')).toBe(dictionary)
})

test('every table has a comment, and so has every column that is not self-explanatory', async () => {
  const { rows } = await pool.query<{ name: string }>(`
    select c.relname || coalesce('.' || a.attname, '') as name
    from pg_class c
    left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relnamespace = 'marketdata'::regnamespace and c.relkind in ('r', 'p', 'v') and not c.relispartition
      and (obj_description(c.oid, 'pg_class') is null
        or (col_description(c.oid, a.attnum) is null
          and a.attname not in ('id', 'exchange', 'symbol', 'symbol_id', 'ingestor_id', 'job', 'started_at',
            'finished_at', 'updated_at', 'applied_at', 'base_asset', 'quote_asset', 'ts_exchange', 'ts_ingest',
            'name', 'sha256', 'channel')))
    order by name`)
  expect(rows.map((row) => row.name)).toEqual([])
})
