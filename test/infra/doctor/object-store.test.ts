/**
 * Rights on a bucket of the S3 stand-in. A door in front of it refuses what a policy would refuse:
 * the store itself checks keys, signatures and buckets, and knows no policies.
 */
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { createObjectStore, type ObjectStoreConfig } from '#core/node/object-store.ts'
import { type Finding, runChecks } from '../../../infra/doctor/finding.ts'
import { objectStoreCheck } from '../../../infra/doctor/object-store.ts'
import { takeBucket } from '../../support/bucket.ts'
import { atFileEnd } from '../../support/file-end.ts'
import { checksOf, findingOf } from './support.ts'

const RIGHTS = ['put', 'get', 'range', 'list', 'copy', 'signed_url', 'delete'].map(
  (name) => `store.${name}`,
)
const DENIED =
  '<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Denied by policy.</Message></Error>'

const look = (config: ObjectStoreConfig): Promise<readonly Finding[]> =>
  runChecks([[objectStoreCheck(config)]], 600_000)

interface Asked {
  readonly method: string
  readonly url: URL
  readonly headers: Server extends never
    ? never
    : Readonly<Record<string, string | string[] | undefined>>
}

/** The same store behind a door; signatures hold, since the host that is asked is passed on. */
async function behindPolicy(
  config: ObjectStoreConfig,
  isDenied: (asked: Asked) => boolean,
): Promise<ObjectStoreConfig> {
  const store = new URL(config.endpoint)
  const server = createServer((asked, answer) => {
    const { method = '', headers } = asked
    const url = new URL(asked.url!, store)
    if (isDenied({ method, url, headers })) {
      asked.resume()
      answer.writeHead(403, { 'content-type': 'application/xml' }).end(DENIED)
      return
    }
    const { hostname, port } = store
    const passed = request({ hostname, port, method, path: asked.url, headers }, (from_store) => {
      answer.writeHead(from_store.statusCode!, from_store.headers)
      from_store.pipe(answer)
    })
    asked.pipe(passed)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  atFileEnd(() => server.close())
  const door = new URL(store)
  door.port = String((server.address() as AddressInfo).port)
  return { ...config, endpoint: door.href }
}

async function keysIn(config: ObjectStoreConfig): Promise<readonly string[]> {
  const store = createObjectStore(config)
  try {
    return (await store.list('')).map(({ key }) => key)
  } finally {
    store.close()
  }
}

test('a key with all rights: each was tried, also behind the door, and nothing is left', async () => {
  const bucket = takeBucket()
  expect(checksOf(await look(bucket), 'ok')).toEqual(RIGHTS)
  expect(checksOf(await look(await behindPolicy(bucket, () => false)), 'ok')).toEqual(RIGHTS)
  expect(await keysIn(bucket)).toEqual([])
})

for (const [right, isDenied] of [
  [
    'store.put',
    ({ method, headers }) => method === 'PUT' && headers['x-amz-copy-source'] === undefined,
  ],
  ['store.range', ({ method, headers }) => method === 'GET' && headers['range'] !== undefined],
  ['store.list', ({ url }) => url.searchParams.has('list-type')],
  ['store.copy', ({ headers }) => headers['x-amz-copy-source'] !== undefined],
  ['store.signed_url', ({ url }) => url.searchParams.has('X-Amz-Signature')],
  ['store.delete', ({ method }) => method === 'DELETE'],
] as readonly (readonly [string, (asked: Asked) => boolean])[]) {
  test(`a key without the right for ${right} is told so, and which one it lacks`, async () => {
    const bucket = takeBucket()
    const findings = await look(await behindPolicy(bucket, isDenied))
    expect(checksOf(findings, 'error')).toEqual([right])
    expect(findingOf(findings, right).found).toMatch(/AccessDenied|403/)
    expect(findingOf(findings, right).todo).toContain(
      right === 'store.signed_url' ? 'rights' : 'all rights on this bucket',
    )
    if (right === 'store.delete') {
      const left = await keysIn(bucket)
      expect(left.length).toBeGreaterThan(0)
      expect(findingOf(findings, right).todo).toContain(left[0]!)
    } else expect(await keysIn(bucket)).toEqual([])
  })
}

test('a wrong secret, a bucket that is not there, and no store at all', async () => {
  const bucket = takeBucket()
  const wrong = findingOf(
    await look({ ...bucket, secret_access_key: 'not-the-secret' }),
    'store.put',
  )
  expect(wrong.todo).toBe('Correct S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY.')
  const missing = findingOf(await look({ ...bucket, bucket: 'nobodys-bucket' }), 'store.put')
  expect(missing.todo).toContain('S3_BUCKET')
  const nowhere = findingOf(await look({ ...bucket, endpoint: 'http://127.0.0.1:1' }), 'store.put')
  expect(nowhere.todo).toBe('Check S3_ENDPOINT, DNS and the firewall of this machine.')
})
