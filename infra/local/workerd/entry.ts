/**
 * What Cloudflare adds around the worker, in a workerd of its own: static files before the worker,
 * the list of revoked tokens, and rate limits. Everybody on this machine is trusted, so nothing is
 * limited here. Runs in workerd, in the worker's own isolate.
 */
// @ts-expect-error The bundle lies beside this module when it runs.
import worker from './worker.js'
import type { Asset } from '../../../edge-api/node/assets.ts'

interface Service {
  fetch(url: string): Promise<Response>
}

interface Env {
  readonly ASSETS: Readonly<Record<string, Asset>>
  readonly ASSET_FILES: Service
  readonly REVOKED_FILES: Service
  /** Name of the file with one id per line. */
  readonly REVOKED_FILE: string
}

const unlimited = { limit: async () => ({ success: true }) }
let bindings: object | undefined

export default {
  fetch(request: Request, env: Env, context: unknown): Promise<Response> | Response {
    const asset = env.ASSETS[pathOf(request.url)]
    if (asset !== undefined) return sendAsset(request, asset, env.ASSET_FILES)
    bindings ??= {
      ...env,
      LIMIT_TOKEN: unlimited,
      LIMIT_ADDRESS: unlimited,
      REVOKED_TOKENS: { get: (token_id: string) => readRevoked(env, token_id) },
    }
    return (worker as { fetch: (...args: readonly unknown[]) => Promise<Response> }).fetch(
      request,
      bindings,
      context,
    )
  },
}

function pathOf(url: string): string {
  const from = url.indexOf('/', 'https://'.length)
  const to = url.indexOf('?', from)
  return url.slice(from, to < 0 ? undefined : to)
}

async function sendAsset(request: Request, asset: Asset, files: Service): Promise<Response> {
  if (asset.kind === 'redirect') {
    return new Response(null, { status: 307, headers: { location: asset.to } })
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return new Response(null, { status: 405, headers: { allow: 'GET, HEAD' } })
  }
  if (request.headers.get('if-none-match')?.includes(asset.headers['etag']!) === true) {
    return new Response(null, { status: 304, headers: asset.headers })
  }
  const { body } = await files.fetch(`http://files/${asset.file}`)
  return new Response(request.method === 'HEAD' ? null : body, { headers: asset.headers })
}

/** Throws if the list cannot be read, so that a revoked token is never accepted. */
async function readRevoked(env: Env, token_id: string): Promise<string | null> {
  const response = await env.REVOKED_FILES.fetch(`http://files/${env.REVOKED_FILE}`)
  if (response.status === 404) return null
  if (response.status !== 200) throw new Error(`The list was answered with ${response.status}.`)
  return (await response.text()).split('\n').includes(token_id) ? 'revoked' : null
}
