/** The typed client against the API: it compiles, asks, and what it calls a number is one. */
import { beforeAll, expect, test } from 'vitest'
import { fromMillis } from '#core/time.ts'
import { createClient } from '../../edge-api/client.ts'
import { composeApp } from '../../edge-api/compose.ts'
import { addQuotes, addSymbol, publish, startEdge } from './support.ts'

const edge = await startEdge()
const app = composeApp(edge.bindings, {
  now: () => fromMillis(Date.parse('2024-08-09T00:00:00Z')),
  report: (error) => expect(error).toBeUndefined(),
})
const asked: Request[] = []
const client = createClient('http://edge.test', 'a-token')
const sameProcess = {
  fetch: async (input: Request | URL | string, init?: RequestInit) => {
    asked.push(new Request(input, init))
    return app.request(input instanceof URL ? input.href : input)
  },
}

beforeAll(async () => {
  await addQuotes(edge.pool, await addSymbol(edge.pool, 'BTCUSDT'), [
    ['2024-08-08T23:58:00Z', 1, 61800.2, 61800.3, 0.5, 12],
  ])
  await publish(edge.store, 'features_1s', '2024-08-07')
})

test('answers have the types of the document', async () => {
  const latest = await client.v1.quotes[':symbol'].latest.$get(
    { param: { symbol: 'BTCUSDT' }, query: { exchange: 'binance-futures' } },
    sameProcess,
  )
  const quote = await latest.json()
  const age_ms: number = quote.age_ms
  expect([quote.symbol.toLowerCase(), age_ms]).toEqual(['btcusdt', 120_000])

  const page = await client.v1.quotes[':symbol'].$get(
    { param: { symbol: 'BTCUSDT' }, query: { from: '2024-08-08', limit: '1' } },
    sameProcess,
  )
  const { row_count, next } = await page.json()
  expect([row_count.toFixed(), next?.length]).toEqual(['1', undefined])

  const { dates } = await (
    await client.v1.datasets[':name'].$get(
      { param: { name: 'features_1s' }, query: {} },
      sameProcess,
    )
  ).json()
  expect(dates.map(({ date }) => date)).toEqual(['2024-08-07'])
})

test('the token is sent', () => {
  expect(new Set(asked.map(({ headers }) => headers.get('authorization')))).toEqual(
    new Set(['Bearer a-token']),
  )
})

test('names that are not in the document do not compile', () => {
  const wrong = () => [
    // @ts-expect-error: there is no such parameter
    client.v1.gaps.$get({ query: { form: 'x' } }),
    // @ts-expect-error: a symbol is needed
    client.v1.book[':symbol'].$get({ query: {} }),
    // @ts-expect-error: there is no such route
    client.v1.orders,
  ]
  expect(wrong).toBeTypeOf('function')
})
