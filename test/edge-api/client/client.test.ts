/** The client in this process: pages, rows, tables, repetitions and files, against the real app. */
import { createServer, request as ask } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fromMillis } from '#core/time.ts'
import { ApiError, createClient } from '../../../edge-api/client/index.ts'
import { downloadTo } from '../../../edge-api/client/node.ts'
import { composeApp } from '../../../edge-api/compose.ts'
import { addQuotes, addSymbol, addTrades, publish, setLatest, startEdge } from '../support.ts'

const edge = await startEdge()
const app = composeApp(edge.bindings, {
  now: () => fromMillis(Date.parse('2024-08-09T00:00:00Z')),
  report: (error) => expect(error).toBeUndefined(),
})
/** The bucket checks when a URL was signed. */
const now = composeApp(edge.bindings, {
  now: () => fromMillis(Date.now()),
  report: (error) => expect(error).toBeUndefined(),
})
const appOf = (url: string) => (url.includes('/v1/datasets') ? now : app)
const asked: Request[] = []
/** Answers to give before the app answers. */
const refusals: Response[] = []
const client = createClient({
  url: 'http://edge.test/',
  token: 'a-token',
  fetch: async (input, init) => {
    const request = new Request(input, init)
    if (!request.url.startsWith('http://edge.test/')) return fetch(request)
    asked.push(request)
    return (
      refusals.shift() ??
      appOf(request.url).request(request.url, {
        headers: { accept: request.headers.get('accept')! },
      })
    )
  },
})
const dir = await mkdtemp(join(tmpdir(), 'booktape-client-'))
const bytes = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 31 + (i >> 9)) & 255)
const TIMES = Array.from(
  { length: 25 },
  (_, i) => `2024-08-08T23:58:00.${String(i).padStart(3, '0')}Z`,
)

beforeAll(async () => {
  const id = await addSymbol(edge.pool, 'BTCUSDT')
  await addQuotes(edge.pool, id, [['2024-08-08T23:57:59Z', 1, 61800.2, 61800.3, 0.5, 12]])
  await addTrades(
    edge.pool,
    id,
    TIMES.map((ts, i) => [ts, i + 1, 61800.2, 0.005] as const),
  )
  await setLatest(edge.store, await publish(edge.store, 'features_1s', '2024-08-07', { bytes }))
})
afterAll(() => rm(dir, { recursive: true }))

const RANGE = { symbol: 'BTCUSDT', from: new Date('2024-08-08T23:00:00Z'), limit: 10 } as const

test('answers have the types of the document', async () => {
  const quote = await client.get('/v1/quotes/{symbol}/latest', { symbol: 'BTCUSDT' })
  const texts: readonly (string | null)[] = [quote.symbol, quote.mid ?? null]
  expect(texts).toEqual(['BTCUSDT', '61800.250'])
  const { symbols } = await client.get('/v1/search', { q: 'btc' })
  expect(symbols[0]!.base_asset?.toLowerCase()).toBe('btc')
  const { rows } = await client.get('/v1/quotes/latest', { symbols: ['BTCUSDT'] })
  expect(rows[0]!.age_ms.toFixed()).toBe('121000')
  const stats = await client.get('/stats', {})
  expect(stats.symbols[0]!.best_bid).toBeTypeOf('string')
  expect(asked.at(0)!.headers.get('authorization')).toBe('Bearer a-token')
})

test('what is not in the document does not compile', () => {
  // These lines are never run: they would ask for what does not exist.
  const compiled = (): unknown => [
    // @ts-expect-error A path that does not exist.
    client.get('/v1/quote/{symbol}', { symbol: 'BTCUSDT' }),
    // @ts-expect-error The symbol is missing.
    client.get('/v1/quotes/{symbol}/latest', {}),
    // @ts-expect-error A parameter of another type.
    client.get('/v1/trades/{symbol}', { symbol: 'BTCUSDT', limit: 'many' }),
    // @ts-expect-error No pages.
    client.pages('/v1/book/{symbol}', { symbol: 'BTCUSDT' }),
  ]
  expect(compiled).toBeTypeOf('function')
})

test('pages and rows: every row once, with the columns and types that were asked for', async () => {
  const counts: number[] = []
  for await (const page of client.pages('/v1/trades/{symbol}', RANGE)) counts.push(page.row_count)
  expect(counts).toEqual([10, 10, 5])
  const found: [number, string][] = []
  for await (const row of client.rows('/v1/trades/{symbol}', { ...RANGE, with: 'quote' })) {
    const bid: string | null = row.quote_best_bid
    found.push([row.agg_trade_id, `${row.price.length} ${bid}`])
  }
  expect(found).toEqual(TIMES.map((_, i) => [i + 1, '8 61800.20']))
})

test('tables are columns of numbers, page after page', async () => {
  const ids: bigint[] = []
  for await (const table of client.tables('/v1/trades/{symbol}', RANGE)) {
    expect(table.column('price')).toBeInstanceOf(Float64Array)
    expect(table.column('nothing')).toBeUndefined()
    expect((table.column('ts_exchange') as BigInt64Array)[0]! / 1_000_000n).toBe(1_723_161_480n)
    ids.push(...(table.column('agg_trade_id') as BigInt64Array))
  }
  expect(ids).toEqual(TIMES.map((_, i) => BigInt(i + 1)))
})

test('a refusal names the code and the parameters', async () => {
  const refused = client.get('/v1/trades/{symbol}', { symbol: 'BTCUSDT', limit: 0 })
  const error = await refused.catch((cause: unknown) => cause as ApiError)
  expect(error).toBeInstanceOf(ApiError)
  expect(error).toMatchObject({
    status: 400,
    code: 'bad_parameter',
    errors: [{ parameter: 'limit' }],
  })
})

test('a busy service is asked again after the time that it says; others are not', async () => {
  const busy = (seconds: string) =>
    new Response('{}', { status: 503, headers: { 'retry-after': seconds } })
  refusals.push(busy('0'), new Response('', { status: 502 }))
  const before = asked.length
  expect((await client.get('/v1/symbols', {})).symbols).toHaveLength(1)
  expect(asked.length - before).toBe(3)
  refusals.push(busy('3600'))
  await expect(client.get('/v1/symbols', {})).rejects.toMatchObject({ status: 503 })
  refusals.push(new Response('', { status: 500 }))
  await expect(client.get('/v1/symbols', {})).rejects.toMatchObject({ status: 500 })
  refusals.push(busy('30'))
  const aborted = new AbortController()
  const waiting = client.get('/v1/symbols', {}, { signal: aborted.signal })
  aborted.abort(new Error('enough'))
  await expect(waiting).rejects.toThrow('enough')
  expect(refusals).toEqual([])
})

const FILE = { dataset: 'features_1s', date: 'yesterday', format: 'parquet' } as const

test('a file is downloaded, and an interrupted download continues with its next byte', async () => {
  const path = join(dir, 'yesterday.parquet')
  const file = await downloadTo(client, path, FILE)
  expect(file).toMatchObject({ name: 'features_1s.parquet', date: '2024-08-07', bytes: 300_000 })
  expect(Buffer.compare(await readFile(path), bytes)).toBe(0)

  const again = join(dir, 'again.parquet')
  await writeFile(`${again}.part`, bytes.subarray(0, 123_456))
  let received = 0
  const have = [bytes.subarray(0, 123_456)]
  for await (const part of client.download({ ...FILE, have })) received += part.byteLength
  expect(received).toBe(300_000 - 123_456)
  await downloadTo(client, again, FILE)
  expect(Buffer.compare(await readFile(again), bytes)).toBe(0)
})

test('bytes that are not those of the manifest are refused', async () => {
  const path = join(dir, 'wrong.parquet')
  await writeFile(`${path}.part`, new Uint8Array(1_000))
  await expect(downloadTo(client, path, FILE)).rejects.toMatchObject({ code: 'wrong_sha256' })
})

test('connections that break in the middle of a file are continued', async () => {
  let break_count = 0
  const ranges: (string | undefined)[] = []
  const { port, host } = new URL(edge.bindings['S3_ENDPOINT']!)
  const store = createServer((request, response) => {
    ranges.push(request.headers.range)
    // The Host header is part of the signature.
    const headers = { ...request.headers, host }
    ask({ port, path: request.url, headers }, async (answer) => {
      response.writeHead(answer.statusCode!, answer.headers)
      const body = await buffer(answer)
      if (break_count++ >= 3) return response.end(body)
      response.write(body.subarray(0, 70_000), () => setTimeout(() => response.destroy(), 20))
    }).end()
  })
  await new Promise<void>((resolve) => store.listen(0, '127.0.0.1', resolve))
  const through = createClient({
    url: 'http://edge.test',
    fetch: async (input, init) => {
      const request = new Request(input, init)
      if (request.url.startsWith('http://edge.test/')) return now.request(request.url)
      const url = new URL(request.url)
      url.port = String((store.address() as AddressInfo).port)
      return fetch(url, {
        headers: request.headers,
      })
    },
  })
  const parts: Uint8Array[] = []
  for await (const part of through.download(FILE)) parts.push(part)
  expect(Buffer.compare(Buffer.concat(parts), bytes)).toBe(0)
  expect(ranges).toHaveLength(4)
  expect(ranges[0]).toBe('bytes=0-')
  store.closeAllConnections()
  store.close()
})
