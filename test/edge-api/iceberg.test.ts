/**
 * The Iceberg catalogue in real workerd, asked as PyIceberg, Spark and DuckDB ask. Icebird reads
 * the tables: it has no credentials of the store, and has its requests signed.
 */
import { createHash, createHmac } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GetObjectCommand, HeadObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { DuckDBInstance } from '@duckdb/node-api'
import { type icebergMetadata, icebergRead } from 'icebird'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { mintToken, type Scope } from '#core/access-token.ts'
import { lakeMetadataPrefix } from '#core/object-keys.ts'
import { HOUR_US, fromMillis, micros } from '#core/time.ts'
import type { TableMetadata } from '../../jobs/lake/format/metadata.ts'
import { tagSnapshot } from '../../jobs/lake/tags.ts'
import { createMemoryGate, LAKE_MEMORY } from '../../edge-api/memory/memory-gate.ts'
import { createLakeTables } from '../../edge-api/store/lake-tables.ts'
import { createObjectReader } from '../../edge-api/store/object-store.ts'
import { startWorker, type LocalWorker } from '../../infra/local/worker.ts'
import { HOUR, insertListed, insertRows, makeRows, type Row } from '../jobs/archive/rows.ts'
import { archive, runLakeJob } from '../jobs/lake/commits.ts'
import { readTable } from '../jobs/lake/icebird.ts'
import { workerBundle } from '../support/worker-bundle.ts'
import { startEdge, TOKEN_SECRET } from './support.ts'

const edge = await startEdge()
const { pool, store } = edge
const { config: bucket } = store
const dir = await mkdtemp(join(tmpdir(), 'booktape-iceberg-'))
const ROWS = 120
const TABLE = 'namespaces/raw/tables/trades'
let worker: LocalWorker
let token: string

beforeAll(async () => {
  await insertListed(pool)
  for (const hour of [HOUR, micros(HOUR + HOUR_US)]) {
    await insertRows(pool, 'trades', makeRows('trades', ROWS, hour))
  }
  await insertRows(pool, 'mark_price', makeRows('mark_price', 4))
  await archive({ pool, store, dir })
  await runLakeJob({ pool, store })
  const bindings = { ...edge.bindings, PUBLIC_READ: 'read' }
  const bundle = await workerBundle()
  worker = await startWorker({ port: 0, bundle, bindings, persist_dir: join(dir, 'state') })
  token = await mint(['datasets'])
})
afterAll(async () => {
  await worker?.stop()
  await rm(dir, { recursive: true })
})

async function mint(scopes: readonly Scope[]): Promise<string> {
  return (await mintToken(TOKEN_SECRET, scopes, 1, fromMillis(Date.now()))).text
}

/** Below the catalogue's URL, as a client is configured with it. */
function ask(path: string, init: RequestInit = {}, bearer = token): Promise<Response> {
  const headers = { authorization: `Bearer ${bearer}`, ...(init.headers as Record<string, string>) }
  return fetch(`${worker.url}/iceberg/v1/${path}`, { ...init, headers })
}

const get = async <T>(path: string): Promise<T> => {
  const response = await ask(path, {
    headers: { 'x-iceberg-access-delegation': 'vended-credentials' },
  })
  expect([path, response.status]).toEqual([path, 200])
  return (await response.json()) as T
}

const errorOf = async (response: Response): Promise<readonly unknown[]> => {
  const { error } = (await response.json()) as {
    error: { message: string; type: string; code: number }
  }
  expect(error.message).toMatch(/\.$/)
  expect(error.code).toBe(response.status)
  return [response.status, error.type]
}

interface Loaded {
  readonly 'metadata-location': string
  readonly metadata: TableMetadata
  readonly config: Readonly<Record<string, string>>
}

interface Signed {
  readonly uri: string
  readonly headers: Readonly<Record<string, readonly string[]>>
}

function sign(
  method: string,
  uri: string,
  headers: object = {},
  path = 'aws/s3/sign',
): Promise<Response> {
  const body = JSON.stringify({ region: bucket.region, method, uri, headers, provider: 's3' })
  return ask(path, { method: 'POST', body })
}

/** What a client of the store sends: its own headers, and those of the signature. */
async function signed(
  method: 'GET' | 'HEAD',
  uri: string,
  own: Readonly<Record<string, string>> = {},
  path?: string,
): Promise<Request> {
  const lists = Object.fromEntries(Object.entries(own).map(([name, value]) => [name, [value]]))
  const response = await sign(method, uri, lists, path)
  expect([uri, response.status]).toEqual([uri, 200])
  expect(response.headers.get('cache-control')).toBe('private')
  const answer = (await response.json()) as Signed
  const headers = new Headers(own)
  for (const [name, values] of Object.entries(answer.headers)) headers.set(name, values.join(', '))
  return new Request(answer.uri, { method, headers })
}

type IcebirdMetadata = Awaited<ReturnType<typeof icebergMetadata>>

interface IcebirdRead {
  readonly rows: readonly Row[]
  /** URLs of the files with rows. */
  readonly files: readonly string[]
}

/** Icebird reads s3://bucket/key by HTTP; each of its requests is signed by the catalogue. */
async function readWithIcebird({ metadata, config }: Loaded): Promise<IcebirdRead> {
  const real = globalThis.fetch
  const files = new Set<string>()
  globalThis.fetch = async (input, init) => {
    const request = new Request(input, init)
    const { hostname, pathname } = new URL(request.url)
    if (hostname !== `${bucket.bucket}.s3.amazonaws.com`) return real(input, init)
    const uri = `${config['s3.endpoint']}/${bucket.bucket}${pathname}`
    if (uri.endsWith('.parquet')) files.add(uri)
    const range = request.headers.get('range')
    const method = request.method as 'GET' | 'HEAD'
    const path = config['signer.endpoint']!.replace('v1/', '')
    return real(await signed(method, uri, range === null ? {} : { range }, path))
  }
  try {
    const rows = await icebergRead({
      tableUrl: metadata.location,
      // Its lists are not readonly, though it changes none of them.
      metadata: metadata as unknown as IcebirdMetadata,
    })
    return { rows, files: [...files] }
  } finally {
    globalThis.fetch = real
  }
}

/** Rows and the sum of the ids in the files, each fetched with a signature. */
async function countWithDuckDb(files: readonly string[]): Promise<readonly unknown[]> {
  const paths: string[] = []
  for (const [i, uri] of files.entries()) {
    paths.push(join(dir, `${i}.parquet`))
    const response = await fetch(await signed('GET', uri))
    await writeFile(paths.at(-1)!, new Uint8Array(await response.arrayBuffer()))
  }
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  const found = await connection.runAndReadAll(
    `select count(*)::bigint, sum(agg_trade_id)::bigint
     from read_parquet([${paths.map((path) => `'${path}'`).join(', ')}])`,
  )
  connection.closeSync()
  instance.closeSync()
  return found.getRows()[0]!
}

test('a client finds a table by name, and icebird reads its rows without credentials', async () => {
  const { defaults, overrides, endpoints } =
    await get<Record<string, object>>('config?warehouse=lake')
  expect([defaults, overrides]).toEqual([{ 'py-io-impl': 'pyiceberg.io.fsspec.FsspecFileIO' }, {}])
  expect(endpoints).toContain('HEAD /v1/{prefix}/namespaces/{namespace}/tables/{table}')
  expect(await get('namespaces')).toEqual({ namespaces: [['datasets'], ['derived'], ['raw']] })
  expect(await get('namespaces?parent=raw')).toEqual({ namespaces: [] })
  expect(await get('namespaces/raw')).toEqual({ namespace: ['raw'], properties: {} })
  expect(await get('namespaces/raw/tables')).toEqual({
    identifiers: ['mark_price', 'trades'].map((name) => ({ namespace: ['raw'], name })),
  })
  expect(await get('namespaces/datasets/tables')).toEqual({ identifiers: [] })
  const loaded = await get<Loaded>(TABLE)
  const key = loaded['metadata-location'].replace(`s3://${bucket.bucket}/`, '')
  expect(loaded.metadata).toEqual(JSON.parse(Buffer.from((await store.get(key))!).toString()))
  expect(loaded.config).toMatchObject({
    's3.endpoint': bucket.endpoint,
    's3.remote-signing-enabled': 'true',
  })
  expect(JSON.stringify(loaded.config)).not.toContain(bucket.secret_access_key)
  const { rows, files } = await readWithIcebird(loaded)
  expect(rows).toHaveLength(2 * ROWS)
  expect(rows).toEqual(await readTable(store, 'raw.trades'))
  expect(files).toHaveLength(4)
  expect(await countWithDuckDb(files)).toEqual([
    BigInt(rows.length),
    rows.reduce((sum, row) => sum + (row['agg_trade_id'] as bigint), 0n),
  ])
})

test('a table whose first commit was killed is not listed', async () => {
  // Its manifests and metadata were written, and no hint names them.
  const key = `${lakeMetadataPrefix('raw', 'liquidations')}v1.metadata.json`
  await store.put(key, '{}', 'application/json')
  try {
    expect(await get('namespaces/raw/tables')).toEqual({
      identifiers: ['mark_price', 'trades'].map((name) => ({ namespace: ['raw'], name })),
    })
    expect((await ask('namespaces/raw/tables/liquidations')).status).toBe(404)
  } finally {
    await store.delete(key)
  }
})

test('names come in pages for a client that sends a page token', async () => {
  const first = await get<Record<string, string>>('namespaces/raw/tables?pageToken=&pageSize=1')
  expect(first).toEqual({
    identifiers: [{ namespace: ['raw'], name: 'mark_price' }],
    'next-page-token': expect.any(String) as string,
  })
  const next = encodeURIComponent(first['next-page-token']!)
  expect(await get(`namespaces/raw/tables?pageToken=${next}&pageSize=1`)).toEqual({
    identifiers: [{ namespace: ['raw'], name: 'trades' }],
  })
  expect(await get('namespaces?pageToken=datasets&pageSize=5')).toEqual({
    namespaces: [['derived'], ['raw']],
  })
})

test('with snapshots=refs only the current snapshot and tagged ones are listed', async () => {
  const { metadata } = await get<Loaded>(`${TABLE}?snapshots=all`)
  const ids = metadata.snapshots.map((snapshot) => snapshot['snapshot-id'])
  expect(ids).toHaveLength(2)
  const named = async (): Promise<readonly number[]> =>
    (await get<Loaded>(`${TABLE}?snapshots=refs`)).metadata.snapshots.map(
      (snapshot) => snapshot['snapshot-id'],
    )
  expect(await named()).toEqual([ids[1]])
  const table = { namespace: 'raw', name: 'trades' } as const
  const tagging = { table, tag: 'training', snapshot_id: ids[0], now_ms: Date.now() }
  await tagSnapshot({ pool, store }, tagging)
  expect(await named()).toEqual(ids)
})

test('HEAD tells whether a namespace and a table exist', async () => {
  const statuses = await Promise.all(
    ['namespaces/raw', 'namespaces/row', TABLE, 'namespaces/raw/tables/trade'].map(
      async (path) => (await ask(path, { method: 'HEAD' })).status,
    ),
  )
  expect(statuses).toEqual([204, 404, 204, 404])
})

test('errors have the form and the names of the specification', async () => {
  for (const [path, expected, init] of [
    ['namespaces/row', [404, 'NoSuchNamespaceException']],
    ['namespaces/raw%1Ftrades', [404, 'NoSuchNamespaceException']],
    ['namespaces?parent=row', [404, 'NoSuchNamespaceException']],
    ['namespaces/row/tables', [404, 'NoSuchNamespaceException']],
    ['namespaces/raw/tables/trade', [404, 'NoSuchTableException']],
    ['namespaces/raw/tables/..%2Ftrades', [404, 'NoSuchTableException']],
    ['namespaces/raw/views', [404, 'NotFoundException']],
    ['namespaces/raw/tables?pageToken=&pageSize=0', [400, 'BadRequestException']],
    [`${TABLE}?snapshots=none`, [400, 'BadRequestException']],
    ['config?warehouse=other', [400, 'BadRequestException']],
    [TABLE, [405, 'UnsupportedOperationException'], { method: 'DELETE' }],
    ['namespaces/raw/tables', [405, 'UnsupportedOperationException'], { method: 'POST' }],
    ['aws/s3/sign', [405, 'UnsupportedOperationException']],
    [`${TABLE}/sign`, [405, 'UnsupportedOperationException']],
    ['aws/s3/sign', [400, 'BadRequestException'], { method: 'POST', body: '{' }],
    ['aws/s3/sign', [400, 'BadRequestException'], { method: 'POST', body: 'null' }],
    ['aws/s3/sign', [413, 'BadRequestException'], { method: 'POST', body: ' '.repeat(40_000) }],
  ] as const) {
    expect([path, ...(await errorOf(await ask(path, init)))]).toEqual([path, ...expected])
  }
})

test('a token with the scope "datasets" is needed', async () => {
  const none = await fetch(`${worker.url}/iceberg/v1/config`)
  expect(none.headers.get('www-authenticate')).toMatch(/^Bearer /)
  expect(await errorOf(none)).toEqual([401, 'NotAuthorizedException'])
  expect(await errorOf(await ask(TABLE, {}, `${token}x`))).toEqual([401, 'NotAuthorizedException'])
  const other = await mint(['read', 'live'])
  expect(await errorOf(await ask(TABLE, {}, other))).toEqual([403, 'ForbiddenException'])
  const body = JSON.stringify({ method: 'GET', uri: 'https://example.com' })
  const unsigned = await ask('aws/s3/sign', { method: 'POST', body }, other)
  expect(await errorOf(unsigned)).toEqual([403, 'ForbiddenException'])
})

async function requestToken(form: Readonly<Record<string, string>>): Promise<readonly unknown[]> {
  const url = `${worker.url}/iceberg/v1/oauth/tokens`
  const response = await fetch(url, { method: 'POST', body: new URLSearchParams(form) })
  const answer = (await response.json()) as Record<string, unknown>
  return [response.status, answer['access_token'] ?? answer['error']]
}

test('OAuth clients get the token that is their secret, and no other one', async () => {
  const credentials = { grant_type: 'client_credentials', client_id: 'spark', scope: 'catalog' }
  expect(await requestToken({ ...credentials, client_secret: token })).toEqual([200, token])
  const exchange = {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
  }
  expect(await requestToken({ ...exchange, subject_token: token })).toEqual([200, token])
  for (const client_secret of ['', `${token}x`, await mint(['read'])]) {
    expect(await requestToken({ ...credentials, client_secret })).toEqual([401, 'invalid_client'])
  }
  expect(await requestToken({ grant_type: 'password' })).toEqual([400, 'unsupported_grant_type'])
})

const objectUrl = (key: string): string => `${bucket.endpoint}/${bucket.bucket}/${key}`
const DATA = 'raw/trades/exchange=binance-spot/date=2024-08-08/hour=13.parquet'

test("Amazon's client reads a file with signatures of the catalogue", async () => {
  const client = new S3Client({
    endpoint: bucket.endpoint,
    region: bucket.region,
    forcePathStyle: true,
    // Not the store's.
    credentials: { accessKeyId: 'none', secretAccessKey: 'none' },
    signer: {
      async sign(request) {
        const { protocol, hostname, port, path, query, method, headers } = request
        const parameters = new URLSearchParams(query as Record<string, string>)
        const search = parameters.size === 0 ? '' : `?${parameters}`
        const uri = `${protocol}//${hostname}:${port}${path}${search}`
        const own = Object.entries(headers).filter(([name]) => name !== 'host')
        const done = await signed(method as 'GET' | 'HEAD', uri, Object.fromEntries(own))
        request.headers = { ...headers, ...Object.fromEntries(done.headers) }
        return request
      },
    },
  })
  try {
    const place = { Bucket: bucket.bucket, Key: DATA }
    const bytes = Buffer.from((await store.get(DATA))!)
    const head = await client.send(new HeadObjectCommand(place))
    expect(head.ContentLength).toBe(bytes.length)
    const { Body } = await client.send(new GetObjectCommand({ ...place, Range: 'bytes=4-99' }))
    expect(Buffer.from(await Body!.transformToByteArray())).toEqual(bytes.subarray(4, 100))
  } finally {
    client.destroy()
  }
})

test('a signature is for its method and object only', async () => {
  const request = await signed('GET', objectUrl(DATA))
  const { headers } = request
  expect((await fetch(request)).status).toBe(200)
  const other = objectUrl(DATA.replace('13', '14'))
  expect((await fetch(other, { headers })).status).toBe(403)
  expect((await fetch(objectUrl(DATA), { method: 'DELETE', headers })).status).toBe(403)
  expect(await store.get(DATA)).toBeDefined()
})

test('nothing but reads of files of the tables is signed', async () => {
  await store.put('backups/secret', 'x', 'text/plain')
  const metadata = objectUrl('lake/raw/trades/metadata/version-hint.text')
  expect((await sign('HEAD', metadata)).status).toBe(200)
  expect((await sign('HEAD', metadata, {}, `${TABLE}/sign`)).status).toBe(200)
  const other_table = TABLE.replace('trades', 'mark_price')
  const refused = await sign('HEAD', metadata, {}, `${other_table}/sign`)
  expect(await errorOf(refused)).toEqual([403, 'ForbiddenException'])
  const { host } = new URL(bucket.endpoint)
  for (const [method, url] of [
    ['PUT', metadata],
    ['DELETE', metadata],
    ['POST', `${metadata}?delete`],
    ['get', metadata],
    ['GET', `${metadata}?acl`],
    ['GET', `${metadata}?x-id=GetObject&acl`],
    ['GET', `${metadata}#x`],
    ['GET', metadata.replace('//', '//user:password@')],
    ['GET', metadata.replace(host, 'example.com')],
    ['GET', metadata.replace(`/${bucket.bucket}/`, '/other/')],
    ['GET', metadata.replace(`/${bucket.bucket}/`, `/other/${bucket.bucket}/`)],
    ['GET', objectUrl('')],
    ['GET', objectUrl('backups/secret')],
    ['GET', objectUrl('lake/raw/trades/metadata/../../../../backups/secret')],
    ['GET', objectUrl('lake/raw/trades/metadata/%2e%2e/%2E%2E/%2e%2e/%2e%2e/backups/secret')],
    ['GET', objectUrl('lake/raw/trades/metadata/..%2f..%2f..%2f..%2fbackups%2fsecret')],
    ['GET', objectUrl('raw/trades/exchange=binance-spot/date=2024-08-08/index.json')],
    ['GET', objectUrl('datasets/lob_10/v1/date=2024-08-08/build=0a/normalisers.parquet')],
    ['GET', objectUrl('models/features/v2/date=2024-08-08/fit.json')],
    ['GET', objectUrl('raw/trades/%zz.parquet')],
    ['GET', 'raw/trades'],
  ] as const) {
    const response = await sign(method, url)
    expect([method, url, ...(await errorOf(response))]).toEqual([
      method,
      url,
      403,
      'ForbiddenException',
    ])
  }
})

test('a bucket may be addressed by host name, and headers of the client are signed', async () => {
  const config = { ...bucket, endpoint: 'https://fra1.example.com', bucket: 'tape' }
  const memory = createMemoryGate(LAKE_MEMORY, Date.now)
  const lake = createLakeTables(config, createObjectReader(config), memory)
  const headers = new Headers({ 'X-Amz-Checksum-Mode': 'ENABLED', range: 'bytes=0-3' })
  const url = `https://tape.fra1.example.com/${DATA}`
  const answer = (await lake.signRead({ method: 'GET', url, headers }))!
  expect(answer.url).toBe(url.replaceAll('=', '%3D'))
  const date = answer.headers['x-amz-date']!
  // As "Signature Version 4" says, without a library.
  const lines = {
    host: 'tape.fra1.example.com',
    'x-amz-checksum-mode': 'ENABLED',
    'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
    'x-amz-date': date,
  }
  const names = Object.keys(lines).join(';')
  const canonical = [
    'GET',
    `/${DATA.replaceAll('=', '%3D')}`,
    '',
    ...Object.entries(lines).map(([name, value]) => `${name}:${value}`),
    '',
    names,
    'UNSIGNED-PAYLOAD',
  ].join('\n')
  const scope = `${date.slice(0, 8)}/${bucket.region}/s3/aws4_request`
  const hash = createHash('sha256').update(canonical).digest('hex')
  const hmac = (key: string | Buffer, text: string): Buffer =>
    createHmac('sha256', key).update(text).digest()
  const key = scope.split('/').reduce<string | Buffer>(hmac, `AWS4${bucket.secret_access_key}`)
  const signature = hmac(key as Buffer, `AWS4-HMAC-SHA256\n${date}\n${scope}\n${hash}`)
  expect(answer.headers['authorization']).toBe(
    `AWS4-HMAC-SHA256 Credential=${bucket.access_key_id}/${scope}, SignedHeaders=${names}, ` +
      `Signature=${signature.toString('hex')}`,
  )
})
