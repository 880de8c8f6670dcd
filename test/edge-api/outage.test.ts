/** What callers see while something behind the edge is down. */
import { expect, test } from 'vitest'
import { fromMillis } from '#core/time.ts'
import { composeApp } from '../../edge-api/compose.ts'
import { writeInstruments } from '../../jobs/archive/instruments-file.ts'
import { archiveHour, dropHour } from '../support/archive-hours.ts'
import { fillHour } from '../support/market-hours.ts'
import { readContract, type Ask } from './contract.ts'
import { addSymbol, publish, setLatest, startEdge } from './support.ts'

const edge = await startEdge({ own_store: true })
const answers: string[] = []

function askWith(bindings: Readonly<Record<string, string>>): Ask {
  const app = composeApp(bindings, { now: () => fromMillis(Date.now()), report: () => undefined })
  return async (path, init) => {
    const response = await app.request(path, init)
    answers.push(await response.clone().text())
    return response
  }
}

test('a wrong gateway secret or login is a 502', async () => {
  const other_login = edge.bindings['DATABASE_URL']!.replace('reader_', 'other_')
  for (const wrong of [
    { GATEWAY_SECRET: 'not the secret at all' },
    { DATABASE_URL: other_login },
  ]) {
    const response = await askWith({ ...edge.bindings, ...wrong })('/v1/symbols')
    const body = (await response.json()) as { type: string }
    expect([response.status, body.type]).toEqual([502, 'urn:booktape:problem:gateway_refused'])
  }
})

test('a wrong store secret is a 502 for listings', async () => {
  const response = await askWith({ ...edge.bindings, S3_SECRET_ACCESS_KEY: 'wrong' })(
    '/v1/datasets',
  )
  expect(response.status).toBe(502)
})

test('without the gateway database routes are 503 with Retry-After; datasets and archived hours work', async () => {
  const symbol_id = await addSymbol(edge.pool, 'BTCUSDT')
  for (const hour of ['2024-08-07T22:00:00Z', '2024-08-07T23:00:00Z']) {
    await fillHour(edge.pool, symbol_id, hour, 5)
  }
  const hour = await archiveHour(edge.pool, edge.store, 'trades', '2024-08-07T22:00:00Z')
  await dropHour(edge.pool, hour)
  await writeInstruments(edge.pool, edge.store)
  await setLatest(edge.store, await publish(edge.store, 'features_1s', '2024-08-07'))
  const ask = askWith(edge.bindings)
  const contract = await readContract(ask)
  expect((await ask('/health')).status).toBe(200)
  const cold = '/v1/trades/BTCUSDT?from=2024-08-07T22:00:00Z&to=2024-08-07T23:00:00Z'
  const before: unknown = await (await ask(cold)).json()
  await edge.stopGateway()
  expect(await (await ask(cold)).json()).toEqual(before)
  for (const path of [
    '/health',
    '/v1/quotes/BTCUSDT/latest',
    '/v1/trades/BTCUSDT',
    '/v1/trades/BTCUSDT?from=2024-08-07T22:00:00Z&to=2024-08-07T23:00:00.000001Z',
    '/v1/trades/BTCUSDT?from=2024-08-07T21:59:59.999999Z&to=2024-08-07T23:00:00Z',
    '/v1/gaps',
    '/v1/jobs',
    '/v1/validation',
  ]) {
    const response = await ask(path)
    expect([path, response.status, response.headers.get('retry-after')]).toEqual([path, 503, '5'])
    expect(await contract.check(path, response)).toMatchObject({
      type: 'urn:booktape:problem:database_unreachable',
    })
  }
  expect((await ask('/v1/datasets/features_1s/yesterday.parquet')).status).toBe(302)
  // A worker that has just started finds the instrument in the archive's list.
  const fresh = askWith(edge.bindings)
  const found = await contract.check(cold, await fresh(cold))
  const rows = found['rows'] as readonly Record<string, unknown>[]
  const expected = (before as { readonly rows: readonly Record<string, unknown>[] }).rows
  const ids = (some: typeof rows) => some.map((row) => [row['agg_trade_id'], Number(row['price'])])
  expect(ids(rows)).toEqual(ids(expected))
  expect(expected).toHaveLength(5)
})

test('without the object store dataset routes are 503', async () => {
  const ask = askWith(edge.bindings)
  const contract = await readContract(ask)
  await edge.stopStore()
  for (const path of [
    '/v1/datasets',
    '/v1/datasets/features_1s/2024-08-07',
    '/v1/datasets/features_1s/yesterday.arrow',
  ]) {
    const response = await ask(path)
    expect(response.status).toBe(503)
    expect(await contract.check(path, response)).toMatchObject({
      type: 'urn:booktape:problem:object_store_unreachable',
    })
  }
})

test('no problem above contains a secret or an address', () => {
  const problems = answers.filter((text) => text.includes('urn:booktape:problem'))
  expect(problems.length).toBeGreaterThan(10)
  const secrets = [
    'DATABASE_URL',
    'GATEWAY_SECRET',
    'S3_SECRET_ACCESS_KEY',
    'GATEWAY_URL',
    'S3_ENDPOINT',
  ]
  for (const name of secrets) expect(problems.join('\n')).not.toContain(edge.bindings[name]!)
  expect(problems.join('\n')).not.toMatch(/127\.0\.0\.1|p%40ss|ECONN/)
})
