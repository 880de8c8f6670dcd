/**
 * Reads an S3-compatible object store: path-style addressing, every request signed with SigV4.
 * Reads are limited in bytes, listings in pages, and both in time.
 */
import { AwsClient } from 'aws4fetch'
import { OperatorError } from '#core/errors.ts'
import { sendAgainIfLost } from '#core/lost-connections.ts'
import { release } from '../memory/release.ts'
import { parseListObjects, type ObjectPage } from './list-objects-xml.ts'
import type { StoreConfig } from './store-config.ts'

export interface OpenObject {
  readonly byte_count: number
  read(bytes_max: number): Promise<Uint8Array<ArrayBuffer>>
  close(): Promise<void>
}

export interface ObjectReader {
  /** The object's bytes; undefined if it does not exist. */
  read(key: string, bytes_max: number): Promise<Uint8Array<ArrayBuffer> | undefined>
  /** Opens an object to learn its size. The caller must then call either `read` or `close`. */
  open(key: string): Promise<OpenObject | undefined>
  exists(key: string): Promise<boolean>
  /** Bytes [start, end) of an object; undefined if it does not exist. */
  readRange(key: string, start: number, end: number): Promise<Uint8Array<ArrayBuffer> | undefined>
  /** The same as a stream. The caller may stop at any point. */
  streamRange(
    key: string,
    start: number,
    end: number,
  ): Promise<AsyncIterable<Uint8Array> | undefined>
  /** Everything below a prefix; with a delimiter only its direct children. */
  list(prefix: string, delimiter?: '/'): Promise<Pick<ObjectPage, 'keys' | 'folders'>>
  /** Throws if the store does not respond or refuses our credentials. */
  check(): Promise<void>
}

const TIMEOUT_MS = 10_000
/** A page has 1,000 keys. */
const PAGES_MAX = 50
const PAGE_BYTES_MAX = 4 << 20

export function createObjectReader(config: StoreConfig): ObjectReader {
  const aws = createClient(config)
  const send = async (
    url: URL,
    method: 'GET' | 'HEAD',
    headers: Record<string, string> = {},
  ): Promise<Response> => {
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS)
      const request = await aws.sign(url.href, { method, signal, headers })
      return await sendAgainIfLost(() => fetch(request))
    } catch (cause) {
      throw unreachable(cause)
    }
  }
  const listPage = async (parameters: Readonly<Record<string, string>>): Promise<ObjectPage> => {
    const url = new URL(`${config.endpoint}/${config.bucket}`)
    for (const [name, value] of Object.entries({ 'list-type': '2', ...parameters })) {
      url.searchParams.set(name, value)
    }
    const response = await send(url, 'GET')
    if (!response.ok) throw await refused(response)
    const page = parseListObjects(
      new TextDecoder().decode(await readBytes(response, 'listing', PAGE_BYTES_MAX)),
    )
    if (page === undefined)
      throw new OperatorError(
        'object_store_refused',
        'The object store answered a listing that cannot be parsed.',
      )
    return page
  }
  const getObject = async (
    key: string,
    headers?: Record<string, string>,
  ): Promise<Response | undefined> => {
    const response = await send(objectUrl(config, key), 'GET', headers)
    if (response.ok) return response
    if (response.status !== 404) throw await refused(response)
    await response.body?.cancel()
    return undefined
  }
  const getRange = async (
    key: string,
    start: number,
    end: number,
  ): Promise<Response | undefined> => {
    const response = await getObject(key, { range: `bytes=${start}-${end - 1}` })
    // A store without range support would send the whole object.
    if (response !== undefined && response.status !== 206) throw await refused(response)
    return response
  }
  return {
    async read(key, bytes_max) {
      const response = await getObject(key)
      return response === undefined ? undefined : readBytes(response, key, bytes_max)
    },
    async open(key) {
      const response = await getObject(key)
      if (response === undefined) return undefined
      return {
        byte_count: Number(response.headers.get('content-length') ?? Infinity),
        read: (bytes_max) => readBytes(response, key, bytes_max),
        close: async () => response.body?.cancel(),
      }
    },
    async exists(key) {
      const response = await send(objectUrl(config, key), 'HEAD')
      if (response.ok || response.status === 404) return response.ok
      throw await refused(response)
    },
    async readRange(key, start, end) {
      const response = await getRange(key, start, end)
      return response === undefined ? undefined : readBytes(response, key, end - start)
    },
    async streamRange(key, start, end) {
      const response = await getRange(key, start, end)
      return response === undefined ? undefined : chunksOf(response)
    },
    async list(prefix, delimiter) {
      const keys: string[] = []
      const folders: string[] = []
      let token: string | undefined
      for (let page_count = 0; page_count < PAGES_MAX; page_count++) {
        const page = await listPage({
          prefix,
          ...(delimiter === undefined ? {} : { delimiter }),
          ...(token === undefined ? {} : { 'continuation-token': token }),
        })
        keys.push(...page.keys)
        folders.push(...page.folders)
        token = page.continuation_token
        if (token === undefined) return { keys, folders }
      }
      throw new OperatorError(
        'object_too_large',
        `The listing of ${prefix} has more than ${PAGES_MAX} pages.`,
      )
    },
    async check() {
      await listPage({ 'max-keys': '1' })
    },
  }
}

export function createClient(config: StoreConfig): AwsClient {
  return new AwsClient({
    accessKeyId: config.access_key_id,
    secretAccessKey: config.secret_access_key,
    region: config.region,
    service: 's3',
  })
}

export function objectUrl(config: StoreConfig, key: string): URL {
  return new URL(
    `${config.endpoint}/${config.bucket}/${key.split('/').map(encodeURIComponent).join('/')}`,
  )
}

async function readBytes(
  response: Response,
  key: string,
  bytes_max: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = []
  let byte_count = 0
  for await (const chunk of chunksOf(response)) {
    byte_count += chunk.byteLength
    if (byte_count > bytes_max) {
      throw new OperatorError(
        'object_too_large',
        `Object ${key} is larger than ${bytes_max} bytes.`,
      )
    }
    chunks.push(chunk)
  }
  const bytes = new Uint8Array(byte_count)
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.byteLength
    release(chunk)
  }
  return bytes
}

/** Cancels the body if the caller stops early. */
async function* chunksOf(response: Response): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  try {
    for (;;) {
      const { done, value } = await reader
        .read()
        .catch((cause: unknown) => Promise.reject(unreachable(cause)))
      if (done) return
      yield value
    }
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}

/** The store's error document is not passed on: it contains keys and credentials. */
async function refused(response: Response): Promise<OperatorError> {
  await response.body?.cancel()
  if (response.status >= 500 || response.status === 429) return unreachable(undefined)
  return new OperatorError(
    'object_store_refused',
    `The object store answered with status ${response.status}.`,
  )
}

function unreachable(cause: unknown): OperatorError {
  return new OperatorError('object_store_unreachable', 'The object store does not respond.', {
    hint: 'Try again in a few seconds.',
    retryable: true,
    cause,
  })
}
