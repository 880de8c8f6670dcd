/**
 * The edge worker in a workerd of its own, as `npm start` serves it. Miniflare simulates more of
 * Cloudflare (rate limits, KV), and costs several times what the worker costs: tests use it.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { transformSync } from 'esbuild'
import { COMPATIBILITY_DATE, V8_FLAGS, type WorkerBundle } from '../worker.ts'
import { listAssets } from '../../../edge-api/node/assets.ts'
import { workerdConfig } from './config.ts'
import { runWorkerd, type RunningWorkerd } from './run.ts'

export function startWorkerd(options: {
  /** 0: any free port. */
  readonly port: number
  readonly bundle: WorkerBundle
  readonly bindings: Readonly<Record<string, string>>
  /** For the configuration. It contains secrets, so nobody else may read it. */
  readonly dir: string
  /** One id of a revoked token per line; may be missing. */
  readonly revoked_file: string
}): Promise<RunningWorkerd> {
  const { port, bundle, bindings, dir, revoked_file } = options
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  copyFileSync(bundle.script_path, join(dir, 'worker.js'))
  for (const name of ['entry', 'cache']) {
    const source = readFileSync(join(import.meta.dirname, `${name}.ts`), 'utf8')
    writeFileSync(join(dir, `${name}.js`), transformSync(source, { loader: 'ts' }).code)
  }
  const config_path = join(dir, 'config.capnp')
  const config = workerdConfig({
    compatibility_date: COMPATIBILITY_DATE,
    v8_flags: V8_FLAGS,
    port,
    texts: { ...bindings, REVOKED_FILE: basename(revoked_file) },
    values: { ASSETS: listAssets(bundle.assets_dir) },
    folders: { ASSET_FILES: bundle.assets_dir, REVOKED_FILES: dirname(revoked_file) },
  })
  writeFileSync(config_path, config, { mode: 0o600 })
  return runWorkerd(config_path)
}
