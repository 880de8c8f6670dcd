/**
 * Reads tables of the lake with icebird, which is a program of its own and reads Iceberg by HTTP:
 * its requests to s3://bucket are answered with the objects of a test's store.
 */
import { icebergManifests, icebergMetadata, icebergRead } from 'icebird'
import type { ObjectStore } from '#core/node/object-store.ts'
import { lakeTablePrefix } from '#core/object-keys.ts'
import type { TableMetadata } from '../../../jobs/lake/format/metadata.ts'
import type { Row } from '../archive/rows.ts'

/** `raw.trades`, as of now or of a snapshot. */
export async function readTable(
  store: ObjectStore,
  table: string,
  snapshot_id?: number,
): Promise<readonly Row[]> {
  return withStore(store, async () =>
    icebergRead({
      tableUrl: urlOf(store, table),
      metadata: await metadataAt(store, table, snapshot_id),
    }),
  )
}

/** Keys of the files that the table, or a snapshot of it, lists. */
export async function listedKeys(
  store: ObjectStore,
  table: string,
  snapshot_id?: number,
): Promise<readonly string[]> {
  const manifests = await withStore(store, async () =>
    icebergManifests(await metadataAt(store, table, snapshot_id)),
  )
  const DELETED = 2
  return manifests
    .flatMap(({ entries }) => entries.filter(({ status }) => status !== DELETED))
    .map(({ data_file }) => new URL(data_file.file_path).pathname.slice(1))
    .toSorted()
}

async function metadataAt(
  store: ObjectStore,
  table: string,
  snapshot_id: number | undefined,
): Promise<Awaited<ReturnType<typeof icebergMetadata>>> {
  const current = await icebergMetadata({ tableUrl: urlOf(store, table) })
  return snapshot_id === undefined ? current : { ...current, 'current-snapshot-id': snapshot_id }
}

export async function readMetadata(store: ObjectStore, table: string): Promise<TableMetadata> {
  const read = (): Promise<unknown> => icebergMetadata({ tableUrl: urlOf(store, table) })
  return (await withStore(store, read)) as TableMetadata
}

function urlOf({ config }: ObjectStore, table: string): string {
  const [namespace, name] = table.split('.')
  return `s3://${config.bucket}/${lakeTablePrefix(namespace!, name!)}`
}

async function withStore<T>(store: ObjectStore, use: () => Promise<T>): Promise<T> {
  const real = globalThis.fetch
  globalThis.fetch = async (input, init) => {
    const request = new Request(input, init)
    const { hostname, pathname } = new URL(request.url)
    if (hostname !== `${store.config.bucket}.s3.amazonaws.com`) return real(input, init)
    const key = decodeURIComponent(pathname.slice(1))
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.get('range') ?? '')
    const bytes =
      range === null
        ? await store.get(key)
        : await store.readRange(key, Number(range[1]), Number(range[2]) + 1)
    if (bytes === undefined) return new Response(null, { status: 404 })
    return new Response(Buffer.from(bytes), { status: range === null ? 200 : 206 })
  }
  try {
    return await use()
  } finally {
    globalThis.fetch = real
  }
}
