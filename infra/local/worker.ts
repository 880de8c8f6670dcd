/**
 * The edge worker on this machine: wrangler bundles it as for Cloudflare, and Miniflare runs it in
 * real workerd, with the static assets, KV and rate limits. Needs no account and no network.
 */
import { createHash } from 'node:crypto'
import { cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { Log, LogLevel, Miniflare } from 'miniflare'
import { runWrangler } from './wrangler.ts'

export interface WorkerBundle {
  readonly script_path: string
  readonly assets_dir: string
  /** Size of the compressed script, which Cloudflare limits. */
  readonly gzip_bytes: number
}

export interface LocalWorker {
  readonly url: string
  /** V8's inspector, if requested. */
  readonly inspector_url: string | undefined
  /** Adds the id of a token to the revocation list. */
  revokeToken(token_id: string): Promise<void>
  stop(): Promise<void>
}

const ROOT = join(import.meta.dirname, '..', '..')
/** Loopback has one caller, so the limits are too high to matter. */
const RATE_LIMIT = { limit: 1_000_000, period: 10 } as const
/**
 * V8 sizes its heap by the machine's memory, and collects late if there is much. An isolate on
 * Cloudflare has 128 MiB including its buffers. So the heap here is smaller than that, and V8
 * collects as soon as the heap has grown by a quarter.
 */
export const V8_FLAGS = [
  '--max-heap-size=96',
  '--max-semi-space-size=4',
  '--heap-growing-percent=25',
] as const
/** As in wrangler.jsonc. */
export const COMPATIBILITY_DATE = '2026-10-20'
const SOURCES = [
  'edge-api/**/*.{ts,tsx,css,txt,mjs,jsonc,html,js}',
  'edge-api/public/_headers',
  'core/**/*.ts',
  'package-lock.json',
]
/** Bundles the worker into `out_dir`, unless the bundle there was built from the same sources. */
export async function buildWorker(out_dir: string): Promise<WorkerBundle> {
  const stamp_path = join(out_dir, 'sources.sha256')
  const stamp = hashSources()
  const script_path = join(out_dir, 'worker.js')
  const assets_dir = join(out_dir, 'assets')
  if (readText(stamp_path) !== stamp) {
    rmSync(out_dir, { recursive: true, force: true })
    mkdirSync(out_dir, { recursive: true })
    await runWrangler([
      'deploy',
      '--env',
      'production',
      '--dry-run',
      '--minify',
      '--outdir',
      out_dir,
    ])
    cpSync(join(ROOT, 'edge-api', 'dist', 'public'), assets_dir, { recursive: true })
    writeFileSync(stamp_path, stamp)
  }
  return { script_path, assets_dir, gzip_bytes: gzipSync(readFileSync(script_path)).byteLength }
}

/** Starts workerd on loopback; port 0 means any free port. */
export async function startWorker(options: {
  readonly port: number
  readonly bundle: WorkerBundle
  readonly bindings: Readonly<Record<string, string>>
  readonly persist_dir: string
  /** Requests per ten seconds, per token and per address. */
  readonly rate_limits?: { readonly token: number; readonly address: number }
  readonly has_inspector?: boolean
}): Promise<LocalWorker> {
  const { bundle, bindings, rate_limits, has_inspector = false } = options
  const contents = readFileSync(bundle.script_path, 'utf8')
  process.env['MINIFLARE_WORKERD_V8_FLAGS'] ??= V8_FLAGS.join(' ')
  const server = new Miniflare({
    host: '127.0.0.1',
    port: options.port,
    ...(has_inspector ? { inspectorPort: 0 } : {}),
    cf: false,
    log: new Log(LogLevel.WARN),
    logRequests: false,
    telemetry: { enabled: false },
    enableDevRegistry: false,
    resourcePersistencePath: options.persist_dir,
    workers: [
      {
        config: {
          name: 'booktape-edge',
          compatibilityDate: COMPATIBILITY_DATE,
          manifest: {
            mainModule: 'worker.js',
            modulesRoot: dirname(bundle.script_path),
            modules: { 'worker.js': { type: 'esm', contents } },
          },
          assets: {
            directory: bundle.assets_dir,
            hasUserWorker: true,
            htmlHandling: 'drop-trailing-slash',
            notFoundHandling: 'none',
            runWorkerFirst: ['/*', '!/docs', '!/docs/*', '!/chart', '!/chart/*'],
          },
          env: {
            ...Object.fromEntries(
              Object.entries(bindings).map(([name, value]) => [
                name,
                { type: 'text' as const, value },
              ]),
            ),
            REVOKED_TOKENS: { type: 'kv', id: 'revoked-tokens' },
            LIMIT_TOKEN: rateLimit('token', rate_limits?.token),
            LIMIT_ADDRESS: rateLimit('address', rate_limits?.address),
          },
        },
        dev: { rootPath: ROOT },
      },
    ],
  })
  const url = await server.ready
  const revoked = await server.getKVNamespace('REVOKED_TOKENS')
  return {
    url: `http://127.0.0.1:${url.port}`,
    inspector_url: has_inspector ? (await server.getInspectorURL()).href : undefined,
    revokeToken: (token_id) => revoked.put(token_id, 'revoked'),
    stop: () => server.dispose(),
  }
}

function rateLimit(namespace: string, limit: number = RATE_LIMIT.limit) {
  return { type: 'rate-limit' as const, namespace, simple: { limit, period: RATE_LIMIT.period } }
}

function hashSources(): string {
  const hash = createHash('sha256')
  for (const file of globSync(SOURCES, {
    cwd: ROOT,
    exclude: ['edge-api/**/dist/**'],
  }).toSorted()) {
    hash
      .update(file)
      .update('\0')
      .update(readFileSync(join(ROOT, file)))
      .update('\0')
  }
  return hash.digest('hex')
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
