/**
 * Below /iceberg/: a read-only catalogue of the lake's tables, so that engines find them by name.
 * Source: the Iceberg REST catalogue specification.
 */
import type { Context } from 'hono'
import type { App, Deps } from '../deps.ts'
import { badParameters, found, Problem } from '../problem.ts'

const NAMESPACES = ['datasets', 'derived', 'raw']
const TABLE_NAME = /^[a-z0-9_]{1,100}$/
const ROOT = '/iceberg/v1'
const NAMESPACE = `${ROOT}/namespaces/:namespace`
const TABLE = `${NAMESPACE}/tables/:table`
/** As the specification writes them. Clients do not try others. */
const ENDPOINTS = [
  'GET /v1/{prefix}/namespaces',
  'GET /v1/{prefix}/namespaces/{namespace}',
  'HEAD /v1/{prefix}/namespaces/{namespace}',
  'GET /v1/{prefix}/namespaces/{namespace}/tables',
  'GET /v1/{prefix}/namespaces/{namespace}/tables/{table}',
  'HEAD /v1/{prefix}/namespaces/{namespace}/tables/{table}',
  'POST /v1/{prefix}/namespaces/{namespace}/tables/{table}/sign',
]

export function icebergRoutes(app: App, { lake }: Pick<Deps, 'lake'>): void {
  app.get(`${ROOT}/config`, (c) => {
    requireWarehouse(c.req.query('warehouse'), lake.store.bucket)
    // The reader of PyIceberg that can have its requests signed. The client may choose another.
    const defaults = { 'py-io-impl': 'pyiceberg.io.fsspec.FsspecFileIO' }
    return answer(c, { defaults, overrides: {}, endpoints: ENDPOINTS })
  })
  app.get(`${ROOT}/namespaces`, (c) => {
    const parent = c.req.query('parent')
    if (parent) requireNamespace(parent)
    const { names, ...next } = page(c, parent ? [] : NAMESPACES)
    return answer(c, { namespaces: names.map((name) => [name]), ...next })
  })
  app.get(NAMESPACE, (c) => {
    const { namespace } = c.req.param()
    requireNamespace(namespace)
    if (c.req.method === 'HEAD') return c.body(null, 204)
    return answer(c, { namespace: [namespace], properties: {} })
  })
  app.get(`${NAMESPACE}/tables`, async (c) => {
    const { namespace } = c.req.param()
    requireNamespace(namespace)
    const { names, ...next } = page(c, await lake.tables(namespace))
    return answer(c, {
      identifiers: names.map((name) => ({ namespace: [namespace], name })),
      ...next,
    })
  })
  app.get(TABLE, async (c) => {
    const { namespace, table } = c.req.param()
    requireNamespace(namespace)
    if (!TABLE_NAME.test(table)) throw unknownTable(namespace, table)
    if (c.req.method === 'HEAD') {
      if (await lake.exists(namespace, table)) return c.body(null, 204)
      throw unknownTable(namespace, table)
    }
    const snapshots = snapshotsOf(c.req.query('snapshots'))
    const loaded = await lake.load(namespace, table, snapshots)
    if (loaded === undefined) throw unknownTable(namespace, table)
    // The metadata is not parsed: only its place in the answer is new.
    const head = `{"metadata-location":${JSON.stringify(loaded.location)},"metadata":`
    const sign = `v1/namespaces/${namespace}/tables/${table}/sign`
    const config = JSON.stringify(readerConfig(lake.store, sign))
    c.header('cache-control', 'no-store')
    c.header('content-type', 'application/json')
    return c.body(`${head}${loaded.metadata},"config":${config}}`)
  })
}

function answer(c: Context, body: object): Response {
  c.header('cache-control', 'no-store')
  return c.json(body)
}

/** There is one, and clients need not name it. */
function requireWarehouse(name: string | undefined, bucket: string): void {
  const known = ['lake', `s3://${bucket}/lake`]
  if (!name || known.includes(name.replace(/\/$/, ''))) return
  throw badParameters([
    {
      parameter: 'warehouse',
      found: found(name),
      allowed: `absent, or one of ${known.join(', ')}`,
    },
  ])
}

function requireNamespace(name: string): void {
  if (NAMESPACES.includes(name)) return
  const detail = `The lake has no namespace ${found(name)}; it has ${NAMESPACES.join(', ')}.`
  throw new Problem(404, 'unknown_namespace', 'The namespace does not exist.', detail)
}

function unknownTable(namespace: string, table: string): Problem {
  const detail = `The lake has no table ${namespace}.${found(table)}.`
  return new Problem(404, 'unknown_table', 'The table does not exist.', detail)
}

/** A client that sends no page token expects all names. */
function page(
  c: Context,
  names: readonly string[],
): { readonly names: readonly string[]; readonly 'next-page-token'?: string } {
  const [token, size = '1000'] = [c.req.query('pageToken'), c.req.query('pageSize')]
  if (token === undefined) return { names }
  if (!/^[1-9]\d{0,5}$/.test(size)) {
    throw badParameters([
      { parameter: 'pageSize', found: found(size), allowed: 'a whole number from 1 to 999999' },
    ])
  }
  const rest = names.filter((name) => name > token)
  const some = rest.slice(0, Number(size))
  return some.length === rest.length
    ? { names: some }
    : { names: some, 'next-page-token': some.at(-1)! }
}

function snapshotsOf(text = 'all'): 'all' | 'refs' {
  if (text === 'all' || text === 'refs') return text
  throw badParameters([{ parameter: 'snapshots', found: found(text), allowed: 'all or refs' }])
}

/** The URL of the signer is missing, because clients know it: `sign` is below the catalogue's. */
function readerConfig(
  { endpoint, region }: Deps['lake']['store'],
  sign: string,
): Readonly<Record<string, string>> {
  return {
    's3.endpoint': endpoint,
    's3.region': region,
    'client.region': region,
    's3.path-style-access': 'true',
    's3.remote-signing-enabled': 'true',
    // PyIceberg's name of it, and two names of the path: of before and since Iceberg 1.11.
    's3.signer': 'S3V4RestSigner',
    's3.signer.endpoint': sign,
    'signer.endpoint': sign,
  }
}
