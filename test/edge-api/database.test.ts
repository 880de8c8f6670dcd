/**
 * Statements through the gateway: the worker's own client, and Neon's driver, speak one protocol.
 */
import { neon, neonConfig } from '@neondatabase/serverless'
import { afterAll, expect, test } from 'vitest'
import { createDatabase } from '../../edge-api/queries/database.ts'
import { createReaderDatabase, SECRET, startTestGateway } from './support.ts'

const { reader_url } = await createReaderDatabase()
const gateway = await startTestGateway(reader_url, { STATEMENT_TIMEOUT_MS: '300' })
afterAll(() => gateway.stop())
const db = createDatabase({
  database_url: reader_url,
  gateway_url: gateway.url,
  gateway_secret: SECRET,
})

const SQL = `
select $1::text as name, $2::int8 as id, $3::float8 as price, $4::bool as is_open, $5::text as nothing,
  timestamptz '2024-08-07 22:00:00.000001+00' as ts, $6::timestamptz as asked,
  array[array[61800.2, 0.5], array[61800.3, 1e-8]]::float8[] as levels, '{}'::float8[] as no_levels,
  '{"a": [1, null]}'::jsonb as log, 'a "quoted" text, é' as note`
const PARAMETERS = ['BTC-ß', 9_007_199_254_740_991, 0.1 + 0.2, true, null, '2024-08-07T22:00:00Z']

test("values of every type arrive as core's types, and no digit is lost", async () => {
  expect(await db.query(SQL, PARAMETERS)).toEqual([
    {
      name: 'BTC-ß',
      id: 9_007_199_254_740_991,
      price: 0.1 + 0.2,
      is_open: true,
      nothing: null,
      ts: 1_723_068_000_000_001,
      asked: 1_723_068_000_000_000,
      levels: Float64Array.of(61_800.2, 0.5, 61_800.3, 1e-8),
      no_levels: new Float64Array(0),
      log: { a: [1, null] },
      note: 'a "quoted" text, é',
    },
  ])
})

test("Neon's own driver gets the same texts from the gateway", async () => {
  neonConfig.fetchEndpoint = () => `${gateway.url}/sql`
  const sql = neon(reader_url, { authToken: SECRET })
  const types = { getTypeParser: () => (text: string) => text }
  const [row] = await sql.query(SQL, PARAMETERS, { types })
  expect(row).toMatchObject({
    id: '9007199254740991',
    price: '0.30000000000000004',
    is_open: 't',
    nothing: null,
    ts: '2024-08-07 22:00:00.000001+00',
    levels: '{{61800.2,0.5},{61800.3,1e-08}}',
  })
})

test('a refused statement is query_failed, a cancelled one query_timeout', async () => {
  await expect(db.query('select nobody', [])).rejects.toMatchObject({
    code: 'query_failed',
    message: expect.stringContaining('42703'),
  })
  await expect(db.query('select pg_sleep(60)', [])).rejects.toMatchObject({ code: 'query_timeout' })
  expect(await db.query('select 1::int4 as one', [])).toEqual([{ one: 1 }])
})

test('a wrong secret is refused, and a missing gateway is unreachable', async () => {
  const stranger = createDatabase({
    database_url: reader_url,
    gateway_url: gateway.url,
    gateway_secret: 'another secret',
  })
  await expect(stranger.query('select 1', [])).rejects.toMatchObject({
    code: 'gateway_refused',
    retryable: false,
  })
  const lonely = createDatabase({
    database_url: reader_url,
    gateway_url: 'http://127.0.0.1:1',
    gateway_secret: SECRET,
  })
  await expect(lonely.query('select 1', [])).rejects.toMatchObject({
    code: 'database_unreachable',
    retryable: true,
  })
})
