/** Rights on the bucket, each tried for real with a scratch object that is removed afterwards. */
import { randomUUID } from 'node:crypto'
import { describeError } from '#core/errors.ts'
import {
  createObjectStore,
  type ObjectStore,
  type ObjectStoreConfig,
} from '#core/node/object-store.ts'
import { fromMillis } from '#core/time.ts'
import { createUrlSigner } from '../../edge-api/store/sign-url.ts'
import { type Check, failure, fine, type Finding, sentence } from './finding.ts'

const PREFIX = 'doctor/'
const BODY = Buffer.from('booktape doctor: this object may be deleted.\n')
const RANGE = { from: 3, to: 11 } as const
const URL_TTL_S = 60

export function objectStoreCheck(config: ObjectStoreConfig): Check {
  return {
    check: 'store',
    async run(signal) {
      const store = createObjectStore(config)
      try {
        return await tryRights(store, config, signal)
      } finally {
        store.close()
      }
    },
  }
}

async function tryRights(
  store: ObjectStore,
  config: ObjectStoreConfig,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const key = `${PREFIX}${randomUUID()}`
  const copy_key = `${key}-copy`
  const { endpoint, bucket } = config
  const put = await tryRight('store.put', `write to ${bucket} at ${endpoint}`, () =>
    store.put(key, BODY, 'text/plain'),
  )
  // Without the object the other operations cannot be tried.
  if (put.level === 'error') return [put]
  const findings = [put]
  try {
    const rights = [
      tryRight('store.get', 'read objects', async () => same(await store.get(key), BODY)),
      tryRight('store.range', 'read parts of objects', async () =>
        same(await store.readRange(key, RANGE.from, RANGE.to), BODY.subarray(RANGE.from, RANGE.to)),
      ),
      tryRight('store.list', 'list objects', async () => {
        const keys = (await store.list(key)).map((one) => one.key)
        if (!keys.includes(key)) throw new Error('The listing lacks the object that was written')
      }),
      tryRight('store.copy', 'copy objects', () => store.copy(key, copy_key)),
      tryRight('store.signed_url', 'read through a signed URL', () =>
        readSigned(config, key, signal),
      ),
    ]
    findings.push(...(await Promise.all(rights)))
  } finally {
    const remove = async (): Promise<void> => {
      await store.delete(copy_key)
      await store.delete(key)
      if ((await store.get(key)) !== undefined) throw new Error('A deleted object is still there')
    }
    findings.push(await tryRight('store.delete', 'delete objects', remove, key))
  }
  return findings
}

async function readSigned(
  config: ObjectStoreConfig,
  key: string,
  signal: AbortSignal,
): Promise<void> {
  const sign = createUrlSigner(config, URL_TTL_S)
  const { url } = await sign(key, 'GET', fromMillis(Date.now()))
  const response = await fetch(url, { signal })
  const body = Buffer.from(await response.arrayBuffer())
  if (!response.ok) throw new Error(`It answers with status ${response.status}`)
  same(body, BODY)
}

/** `left`: the object that remains in the bucket if this check fails. */
async function tryRight(
  check: string,
  verb: string,
  act: () => Promise<void>,
  left?: string,
): Promise<Finding> {
  try {
    await act()
    return fine(check, `The key can ${verb}.`)
  } catch (error) {
    return failure(check, `The key cannot ${verb}: ${reasonOf(error)}`, {
      expected: 'put, get, range, list, copy, signed URL and delete',
      todo: `${adviceFor(error)}${left === undefined ? '' : ` The object ${left} is left there: delete it.`}`,
    })
  }
}

function same(found: Uint8Array | undefined, expected: Uint8Array): void {
  if (found === undefined) throw new Error('The object that was written is not there')
  if (!Buffer.from(found).equals(expected)) throw new Error('It answers with other bytes')
}

/** Includes the error's name, because some stores leave the message empty. */
function reasonOf(error: unknown): string {
  const name = error instanceof Error && error.name !== 'Error' ? `${error.name}: ` : ''
  return sentence(`${name}${describeError(error)}`)
}

const ADVICE: readonly (readonly [pattern: RegExp, todo: string])[] = [
  [/NoSuchBucket/, 'Make the bucket, or correct S3_BUCKET and S3_ENDPOINT.'],
  [
    /InvalidAccessKeyId|SignatureDoesNotMatch|Unauthorized/,
    'Correct S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY.',
  ],
  [/RequestTimeTooSkewed|RequestExpired/, "Set this machine's clock: signatures hold for minutes."],
  [
    /AccessDenied|Forbidden|403/,
    'Give the key all rights on this bucket: jobs read, write, copy and delete.',
  ],
  [
    /ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN/,
    'Check S3_ENDPOINT, DNS and the firewall of this machine.',
  ],
]

function adviceFor(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const text = `${reasonOf(error)} ${code}`
  const [, todo] = ADVICE.find(([pattern]) => pattern.test(text)) ?? []
  return todo ?? 'Check S3_* and the rights of the key.'
}
