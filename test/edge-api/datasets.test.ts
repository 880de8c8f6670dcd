/** Datasets in a real object store: listings, manifests, signed URLs, corrupt files. */
import { beforeAll, expect, test } from 'vitest'
import { fromMillis } from '#core/time.ts'
import { composeApp } from '../../edge-api/compose.ts'
import { readContract, type Ask, type Contract } from './contract.ts'
import { publish, setLatest, sha256, startEdge } from './support.ts'

const edge = await startEdge()
const reported: Error[] = []
const app = composeApp(edge.bindings, {
  now: () => fromMillis(Date.now()),
  report: (error) => reported.push(error as Error),
})
const ask: Ask = async (path, init) => app.request(path, init)
let contract: Contract

const features = Buffer.from('PAR1 the bytes of a day PAR1')

beforeAll(async () => {
  contract = await readContract(ask)
  await publish(edge.store, 'features_1s', '2024-08-06', { bytes: features })
  await publish(edge.store, 'features_1s', '2024-08-07', { bytes: features })
  await publish(edge.store, 'features_1s', '2024-08-08', { complete: false })
  // A date of an older schema version only, and one in both.
  await publish(edge.store, 'features_1m', '2024-08-01', { schema_version: 9 })
  await publish(edge.store, 'features_1m', '2024-08-02', { schema_version: 9 })
  await setLatest(
    edge.store,
    await publish(edge.store, 'features_1m', '2024-08-02', { schema_version: 10 }),
  )
  await setLatest(
    edge.store,
    await publish(edge.store, 'features_1s', '2024-08-07', { bytes: features }),
  )
  // Not published: no manifest yet, an invalid date, and a name that must be escaped in XML.
  await edge.store.put('datasets/half/v1/date=2024-08-08/half.parquet', 'x', 'text/plain')
  await edge.store.put('datasets/bad/v1/date=2024-02-30/manifest.json', '{}', 'application/json')
  await edge.store.put('datasets/a&b<c>/v1/date=2024-08-08/manifest.json', '{}', 'application/json')
})

async function answer(
  path: string,
): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> {
  const response = await ask(path)
  return { status: response.status, body: await contract.check(path, response) }
}

test('datasets are listed with the dates of their newest schema version', async () => {
  expect(await answer('/v1/datasets')).toEqual({
    status: 200,
    body: {
      datasets: [
        {
          name: 'features_1m',
          schema_version: 10,
          date_count: 1,
          first_date: '2024-08-02',
          last_date: '2024-08-02',
        },
        {
          name: 'features_1s',
          schema_version: 1,
          date_count: 3,
          first_date: '2024-08-06',
          last_date: '2024-08-08',
        },
      ],
    },
  })
})

test("a dataset's dates come with the newest version of each, and what yesterday means", async () => {
  expect((await answer('/v1/datasets/features_1m')).body).toEqual({
    name: 'features_1m',
    latest_date: '2024-08-02',
    dates: [
      { date: '2024-08-01', schema_version: 9 },
      { date: '2024-08-02', schema_version: 10 },
    ],
  })
  expect((await answer('/v1/datasets/features_1s')).body).toMatchObject({
    latest_date: '2024-08-07',
  })
})

test('a date is served in version 10, not 9; one that has only 9 in 9', async () => {
  expect((await answer('/v1/datasets/features_1m/2024-08-02')).body).toMatchObject({
    schema_version: 10,
  })
  expect((await answer('/v1/datasets/features_1m/2024-08-01')).body).toMatchObject({
    schema_version: 9,
  })
})

test("the signed URLs of a date give its files' bytes without credentials", async () => {
  const response = await ask('/v1/datasets/features_1s/2024-08-07')
  expect(response.headers.get('cache-control')).toBe('no-store')
  const body = await contract.check<{
    expires_at: string
    files: { name: string; url: string; sha256: string; bytes: number }[]
  }>('/v1/datasets/features_1s/2024-08-07', response)
  const lasts_s = (Date.parse(body.expires_at) - Date.now()) / 1_000
  expect(lasts_s).toBeGreaterThan(590)
  expect(lasts_s).toBeLessThanOrEqual(600)
  for (const file of body.files) {
    const bytes = new Uint8Array(await (await fetch(file.url)).arrayBuffer())
    expect([sha256(bytes), bytes.byteLength]).toEqual([file.sha256, file.bytes])
  }
  const partial = await fetch(body.files[0]!.url, { headers: { range: 'bytes=0-3' } })
  expect([partial.status, await partial.text()]).toEqual([206, 'PAR1'])
})

test('a CSV file of one symbol is listed and signed, whatever letters its name has', async () => {
  const name = 'binance-futures_trades_2024-08-08_龙USDT.csv.gz'
  const manifest = await publish(edge.store, 'trades', '2024-08-08')
  const csv = {
    name,
    format: 'csv.gz',
    bytes: features.byteLength,
    sha256: sha256(features),
    row_count: 1,
  }
  const folder = 'datasets/trades/v1/date=2024-08-08'
  await edge.store.put(`${folder}/build=${manifest.build}/${name}`, features, 'application/gzip')
  const files = [...manifest.files, csv]
  await edge.store.put(
    `${folder}/manifest.json`,
    JSON.stringify({ ...manifest, files }),
    'application/json',
  )

  const { body } = await answer('/v1/datasets/trades/2024-08-08')
  const listed = (body['files'] as { name: string; url: string }[]).find(
    (file) => file.name === name,
  )
  expect(listed).toMatchObject(csv)
  const redirect = await ask(`/v1/datasets/trades/2024-08-08/${encodeURIComponent(name)}`)
  for (const url of [listed!.url, redirect.headers.get('location')!]) {
    expect(Buffer.from(await (await fetch(url)).arrayBuffer())).toEqual(features)
  }
  const prefix = `${folder}/`
  for (const { key } of await edge.store.list(prefix)) await edge.store.delete(key)
})

test('yesterday redirects to the newest complete day, and names it', async () => {
  for (const format of ['parquet', 'arrow']) {
    const response = await ask(`/v1/datasets/features_1s/yesterday.${format}`)
    expect(response.status).toBe(302)
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(response.headers.get('x-dataset-date')).toBe('2024-08-07')
    expect(response.headers.get('x-dataset-complete')).toBe('true')
    const file = await fetch(response.headers.get('location')!)
    expect(Buffer.from(await file.arrayBuffer())).toEqual(features)
  }
})

test('HEAD is redirected to a URL that answers HEAD, with the length of the file', async () => {
  const response = await ask('/v1/datasets/features_1s/yesterday.parquet', { method: 'HEAD' })
  const head = await fetch(response.headers.get('location')!, { method: 'HEAD' })
  expect([head.status, head.headers.get('content-length')]).toEqual([
    200,
    String(features.byteLength),
  ])
})

test('the store refuses an altered or expired URL', async () => {
  const url = (await ask('/v1/datasets/features_1s/2024-08-06/features_1s.parquet')).headers.get(
    'location',
  )!
  const other_date = await fetch(url.replace('2024-08-06', '2024-08-07'))
  const longer = await fetch(url.replace('X-Amz-Expires=600', 'X-Amz-Expires=6000'))
  expect([(await fetch(url)).status, other_date.status, longer.status]).toEqual([200, 403, 403])

  const late = composeApp(edge.bindings, {
    now: () => fromMillis(Date.now() - 601_000),
    report: () => undefined,
  })
  const expired = await late.request('/v1/datasets/features_1s/2024-08-06/features_1s.parquet')
  expect((await fetch(expired.headers.get('location')!)).status).toBe(403)
})

test('the manifest has the same bytes as in the store and an ETag, which gets a 304', async () => {
  const path = '/v1/datasets/features_1s/2024-08-07/manifest.json'
  const response = await ask(path)
  const etag = response.headers.get('etag')!
  expect(response.headers.get('content-type')).toBe('application/json')
  const bytes = new Uint8Array(await response.clone().arrayBuffer())
  const stored = await edge.store.get('datasets/features_1s/v1/date=2024-08-07/manifest.json')
  expect(sha256(bytes)).toBe(sha256(stored!))
  await contract.check(path, response)
  const again = await ask(path, { headers: { 'if-none-match': etag } })
  expect([again.status, await again.text()]).toEqual([304, ''])
})

for (const [path, status, type] of [
  ['/v1/datasets/nothing', 404, 'unknown_dataset'],
  ['/v1/datasets/half', 404, 'unknown_dataset'],
  ['/v1/datasets/nothing/2024-08-08', 404, 'unknown_dataset'],
  ['/v1/datasets/nothing/yesterday.parquet', 404, 'unknown_dataset'],
  ['/v1/datasets/features_1s/2024-08-09', 404, 'unknown_date'],
  ['/v1/datasets/features_1s/2024-08-09/features_1s.parquet', 404, 'unknown_date'],
  ['/v1/datasets/features_1s/2024-08-07/other.parquet', 404, 'unknown_file'],
  ['/v1/datasets/features_1s/2024-08-07/..%2F..%2Flatest.json', 404, 'unknown_file'],
  ['/v1/datasets/features_1s/yesterday.csv', 400, 'bad_parameter'],
  ['/v1/datasets/features_1s/2024-02-30', 400, 'bad_parameter'],
  ['/v1/datasets/Features', 400, 'bad_parameter'],
  ['/v1/datasets/..%2F..', 400, 'bad_parameter'],
  ['/v1/datasets/a%26b', 400, 'bad_parameter'],
  ['/v1/datasets?name=x', 400, 'bad_parameter'],
  ['/v1/datasets/features_1s/2024-08-07/features_1s.parquet?x=1', 400, 'bad_parameter'],
] as const) {
  test(`${path} is a ${status}`, async () => {
    const { status: found, body } = await answer(path)
    expect([found, body['type']]).toEqual([status, `urn:booktape:problem:${type}`])
  })
}

test('an unknown date is answered with the known range', async () => {
  const { body } = await answer('/v1/datasets/features_1s/2030-01-01')
  expect(body['detail']).toContain('from 2024-08-06 to 2024-08-08')
})

const KEY = 'datasets/damaged/v1/date=2024-08-08/manifest.json'

for (const [name, content] of [
  ['is empty', ''],
  ['is not JSON', '{"dataset":'],
  ['is not UTF-8', Buffer.from([0x7b, 0xff, 0xfe, 0x7d])],
  ['lacks fields', '{"dataset":"damaged","schema_version":1,"date":"2024-08-08"}'],
  ['is of another date', undefined],
  ['is larger than any manifest may be', Buffer.alloc((16 << 20) + 1, 32)],
] as const) {
  test(`a manifest that ${name} is a 502 and logged`, async () => {
    const other = await publish(edge.store, 'damaged', '2024-08-07')
    await edge.store.put(KEY, content ?? JSON.stringify(other), 'application/json')
    const before = reported.length
    const { status, body } = await answer('/v1/datasets/damaged/2024-08-08')
    expect(status).toBe(502)
    expect(body['detail']).toContain('date=2024-08-08/manifest.json')
    expect(reported).toHaveLength(before + 1)
  })
}

test('a file name in a manifest that would leave its folder is refused', async () => {
  const manifest = await publish(edge.store, 'damaged', '2024-08-08')
  const files = [{ ...manifest.files[0]!, name: '../../../secret.parquet' }]
  await edge.store.put(KEY, JSON.stringify({ ...manifest, files }), 'application/json')
  expect((await answer('/v1/datasets/damaged/2024-08-08')).status).toBe(502)
})

test('a latest.json that names a date without a manifest is a 502', async () => {
  const manifest = await publish(edge.store, 'damaged', '2024-08-08')
  await setLatest(edge.store, { ...manifest, date: '2024-08-31' })
  expect((await answer('/v1/datasets/damaged/yesterday.parquet')).status).toBe(502)
  await edge.store.put('datasets/damaged/latest.json', 'null', 'application/json')
  expect((await answer('/v1/datasets/damaged/yesterday.arrow')).status).toBe(502)
})

test('more than a thousand keys are read page by page', async () => {
  const days = Array.from({ length: 1_010 }, (_, i) =>
    new Date(Date.UTC(2020, 0, 1 + i)).toISOString().slice(0, 10),
  )
  for (let i = 0; i < days.length; i += 50) {
    await Promise.all(
      days
        .slice(i, i + 50)
        .map((day) =>
          edge.store.put(`datasets/long/v1/date=${day}/manifest.json`, '{}', 'text/plain'),
        ),
    )
  }
  const { body } = await answer('/v1/datasets/long')
  expect((body['dates'] as { date: string }[]).map(({ date }) => date)).toEqual(days)
})
