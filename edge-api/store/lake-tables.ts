/**
 * The Iceberg tables in the object store, for the catalogue (routes/iceberg.ts). Jobs write them
 * (jobs/lake). Signs reads of their files for callers without credentials.
 */
import { OperatorError } from '#core/errors.ts'
import {
  LAKE_HINT_FILE,
  LAKE_PREFIX,
  lakeMetadataFile,
  lakeMetadataPrefix,
  tableOfLakeFile,
} from '#core/object-keys.ts'
import type { MemoryGate } from '../memory/memory-gate.ts'
import { createClient, type ObjectReader, objectUrl } from './object-store.ts'
import type { StoreConfig } from './store-config.ts'

export interface LakeTables {
  /** Names in order. */
  tables(namespace: string): Promise<readonly string[]>
  exists(namespace: string, name: string): Promise<boolean>
  /** `refs`: without the snapshots that no branch and no tag names. Undefined: no such table. */
  load(namespace: string, name: string, snapshots: 'all' | 'refs'): Promise<LoadedTable | undefined>
  /** Undefined: it is not a read of a file of these tables. */
  signRead(request: ReadRequest): Promise<SignedRead | undefined>
  readonly store: Pick<StoreConfig, 'endpoint' | 'region' | 'bucket'>
}

export interface LoadedTable {
  /** s3://bucket/lake/raw/trades/metadata/v12.metadata.json */
  readonly location: string
  /** What that file says: JSON. */
  readonly metadata: string
}

export interface ReadRequest {
  /** Only files of this table; undefined: of any. */
  readonly table?: { readonly namespace: string; readonly name: string }
  readonly method: string
  readonly url: string
  /** The headers that the client will send. */
  readonly headers: Headers
}

export interface SignedRead {
  /** To be sent instead: the path may be spelled in another way. */
  readonly url: string
  /** To be sent as well. */
  readonly headers: Readonly<Record<string, string>>
}

/** It lists the snapshots of the keep time: a week of hours is about 120 kB. */
const METADATA_BYTES_MAX = 4 << 20
/** Memory per byte of metadata: the bytes, the text, and its values or the answer. */
const HELD_PER_BYTE = 6
const HINT_BYTES_MAX = 64
/** What some of Amazon's clients add. Stores ignore it. */
const OWN_QUERY = '?x-id=GetObject'
/** What a signature consists of. */
const SIGNATURE = ['authorization', 'x-amz-content-sha256', 'x-amz-date'] as const

export function createLakeTables(
  config: StoreConfig,
  store: ObjectReader,
  memory: MemoryGate,
): LakeTables {
  const aws = createClient(config)
  const by_path = objectUrl(config, '')
  const above = by_path.pathname.slice(0, -`${config.bucket}/`.length)
  /** Clients address a bucket by path or by host name. */
  const roots = [by_path.href, `${by_path.protocol}//${config.bucket}.${by_path.host}${above}`]
  const { bucket, region } = config
  const exists = (namespace: string, name: string): Promise<boolean> =>
    store.exists(`${lakeMetadataPrefix(namespace, name)}${LAKE_HINT_FILE}`)
  return {
    store: { endpoint: config.endpoint, region, bucket },
    async tables(namespace) {
      const { folders } = await store.list(`${LAKE_PREFIX}${namespace}/`, '/')
      const names = folders.map((folder) => folder.split('/').at(-2)!).toSorted()
      // A first commit that was killed leaves a folder, and no table that loads.
      const loadable = await Promise.all(names.map((name) => exists(namespace, name)))
      return names.filter((_, i) => loadable[i])
    },
    exists,
    async load(namespace, name, snapshots) {
      const prefix = lakeMetadataPrefix(namespace, name)
      const hint = await store.read(`${prefix}${LAKE_HINT_FILE}`, HINT_BYTES_MAX)
      if (hint === undefined) return undefined
      const key = `${prefix}${lakeMetadataFile(new TextDecoder().decode(hint).trim())}`
      const object = await store.open(key)
      if (object === undefined) {
        throw new OperatorError('archive_damaged', `${key} does not exist.`)
      }
      return memory.run(object.byte_count * HELD_PER_BYTE, async () => {
        const text = new TextDecoder().decode(await object.read(METADATA_BYTES_MAX))
        const metadata = snapshots === 'all' ? text : withoutUnnamed(text)
        return { location: `s3://${bucket}/${key}`, metadata }
      })
    },
    async signRead({ table, method, url: text, headers: sent }) {
      if ((method !== 'GET' && method !== 'HEAD') || !URL.canParse(text)) return undefined
      const { href, origin, pathname, search } = new URL(text)
      // Another query could request something else than the object.
      if (search !== '' && search !== OWN_QUERY) return undefined
      // Neither a password nor a fragment.
      const object = `${origin}${pathname}`
      if (href !== `${object}${search}`) return undefined
      const root = roots.find((one) => object.startsWith(one))
      const key = root === undefined ? '' : decoded(object.slice(root.length))
      const found = tableOfLakeFile(key)
      if (found === undefined) return undefined
      const { namespace, name } = table ?? found
      if (found.namespace !== namespace || found.name !== name) return undefined
      // Some stores compare the signature with the path as it is sent, so it has to be as signed.
      const url = `${root}${key.split('/').map(encodeURIComponent).join('/')}${search}`
      const { headers } = await aws.sign(url, { method, headers: toSign(sent) })
      return {
        url,
        headers: Object.fromEntries(SIGNATURE.map((part) => [part, headers.get(part)!])),
      }
    },
  }
}

/** The store refuses a request that has x-amz headers which were not signed. */
function toSign(sent: Headers): Headers {
  return new Headers([...sent].filter(([name]) => name.startsWith('x-amz-')))
}

function withoutUnnamed(metadata: string): string {
  const table = JSON.parse(metadata) as {
    readonly refs: Readonly<Record<string, { readonly 'snapshot-id': number }>>
    readonly snapshots: readonly { readonly 'snapshot-id': number }[]
  }
  const named = new Set(Object.values(table.refs).map((ref) => ref['snapshot-id']))
  const snapshots = table.snapshots.filter((snapshot) => named.has(snapshot['snapshot-id']))
  return JSON.stringify({ ...table, snapshots })
}

/** Empty, which is not a key, if it cannot be decoded. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return ''
  }
}
