/**
 * The local object store: Miniflare's S3 endpoint over R2 on disk. Like Spaces, it checks SigV4
 * signatures and their expiry, and serves ranges. It runs in workerd, a child of this process.
 */
import { Log, LogLevel, Miniflare } from 'miniflare'
import type { ObjectStoreConfig } from '#core/node/object-store.ts'

export interface LocalObjectStore {
  readonly config: ObjectStoreConfig
  stop(): Promise<void>
}

const BUCKET = 'booktape'

export async function startObjectStore(options: {
  readonly dir: string
  readonly port: number
  readonly access_key_id: string
  readonly secret_access_key: string
  /** The returned config uses the first one. */
  readonly buckets?: readonly [string, ...string[]]
}): Promise<LocalObjectStore> {
  const { access_key_id, secret_access_key, buckets = [BUCKET] } = options
  const experimentalS3Credentials = {
    accessKeyId: access_key_id,
    secretAccessKey: secret_access_key,
  }
  const contents =
    'export default { fetch() { return new Response(' +
    '"This is the object store. Use the S3 API.", { status: 404 }) } }'
  const server = new Miniflare({
    host: '127.0.0.1',
    port: options.port,
    cf: false,
    log: new Log(LogLevel.NONE),
    logRequests: false,
    telemetry: { enabled: false },
    enableDevRegistry: false,
    resourcePersistencePath: options.dir,
    workers: [
      {
        config: {
          name: 'object-store',
          compatibilityDate: '2026-10-20',
          manifest: {
            mainModule: 'worker.js',
            modulesRoot: process.cwd(),
            modules: { 'worker.js': { type: 'esm', contents } },
          },
          env: Object.fromEntries(
            buckets.map((name) => [name, { type: 'r2', name, dev: { experimentalS3Credentials } }]),
          ),
        },
        dev: { rootPath: process.cwd() },
      },
    ],
  })
  const url = await server.ready
  return {
    config: {
      endpoint: `http://127.0.0.1:${url.port}/cdn-cgi/local/r2/s3`,
      bucket: buckets[0],
      region: 'auto',
      access_key_id,
      secret_access_key,
    },
    stop: () => server.dispose(),
  }
}
