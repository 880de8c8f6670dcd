/**
 * The edge worker on this machine: bundled by wrangler as it would be for Cloudflare, and run in
 * real workerd through Miniflare, static assets of /docs included. No account, no network.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { Log, LogLevel, Miniflare } from 'miniflare'
import { OperatorError } from '#core/errors.ts'

export interface WorkerBundle {
  readonly script_path: string
  readonly assets_dir: string
  /** What Cloudflare counts: the script, compressed. */
  readonly gzip_bytes: number
}

export interface LocalWorker {
  readonly url: string
  stop(): Promise<void>
}

const ROOT = join(import.meta.dirname, '..', '..')
const SOURCES = [
  'edge-api/**/*.{ts,mjs,jsonc,html,js}',
  'edge-api/public/_headers',
  'core/*.ts',
  'package-lock.json',
]
const QUIET = {
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_SEND_ERROR_REPORTS: 'false',
  WRANGLER_HIDE_BANNER: 'true',
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
}

/** Bundles the worker into `out_dir`, unless the sources are those of the bundle that is there. */
export async function buildWorker(out_dir: string): Promise<WorkerBundle> {
  const stamp_path = join(out_dir, 'sources.sha256')
  const stamp = hashSources()
  const script_path = join(out_dir, 'worker.js')
  const assets_dir = join(out_dir, 'assets')
  if (readText(stamp_path) !== stamp) {
    rmSync(out_dir, { recursive: true, force: true })
    mkdirSync(out_dir, { recursive: true })
    await runWrangler(['deploy', '--dry-run', '--minify', '--outdir', out_dir])
    cpSync(join(ROOT, 'edge-api', 'dist', 'public'), assets_dir, { recursive: true })
    writeFileSync(stamp_path, stamp)
  }
  return { script_path, assets_dir, gzip_bytes: gzipSync(readFileSync(script_path)).byteLength }
}

/** Starts workerd on loopback; port 0 takes a free one. */
export async function startWorker(options: {
  readonly port: number
  readonly bundle: WorkerBundle
  readonly bindings: Readonly<Record<string, string>>
  readonly persist_dir: string
}): Promise<LocalWorker> {
  const { bundle, bindings } = options
  const contents = readFileSync(bundle.script_path, 'utf8')
  const server = new Miniflare({
    host: '127.0.0.1',
    port: options.port,
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
          compatibilityDate: '2026-10-20',
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
          },
          env: Object.fromEntries(
            Object.entries(bindings).map(([name, value]) => [
              name,
              { type: 'text' as const, value },
            ]),
          ),
        },
        dev: { rootPath: ROOT },
      },
    ],
  })
  const url = await server.ready
  return { url: `http://127.0.0.1:${url.port}`, stop: () => server.dispose() }
}

function hashSources(): string {
  const hash = createHash('sha256')
  for (const file of globSync(SOURCES, { cwd: ROOT, exclude: ['edge-api/dist/**'] }).toSorted()) {
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

async function runWrangler(args: readonly string[]): Promise<void> {
  const bin = join(
    dirname(createRequire(import.meta.url).resolve('wrangler/package.json')),
    'bin',
    'wrangler.js',
  )
  try {
    await promisify(execFile)(process.execPath, [bin, ...args], {
      cwd: join(ROOT, 'edge-api'),
      // wrangler runs build-docs.mjs with the `node` of the PATH: it must be this one.
      env: {
        ...process.env,
        ...QUIET,
        PATH: `${dirname(process.execPath)}:${process.env['PATH']}`,
      },
      timeout: 120_000,
    })
  } catch (cause) {
    const { stderr = '', stdout = '' } = cause as {
      readonly stderr?: string
      readonly stdout?: string
    }
    throw new OperatorError(
      'worker_build_failed',
      `wrangler could not bundle the worker: ${stderr.trim() || stdout.trim()}`,
      {
        hint: 'Run `npx wrangler deploy --dry-run` in edge-api/ to see it.',
        cause,
      },
    )
  }
}
