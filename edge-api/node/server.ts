/**
 * The edge API on Node, for those who have one machine and no Cloudflare: the same app, with a
 * cache, rate limits and a list of revoked tokens of its own, static files, and WebSockets.
 */
import { readFileSync } from 'node:fs'
import type { IncomingMessage, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createAdaptorServer } from '@hono/node-server'
import type { Logger } from '#core/node/log.ts'
import { connectRedis } from '#core/node/redis.ts'
import { fromMillis } from '#core/time.ts'
import { composeApp } from '../compose.ts'
import { listAssets, type Asset } from './assets.ts'
import type { NodeConfig } from './config.ts'
import { createMemoryCache } from './memory-cache.ts'
import { createRateLimit } from './rate-limit.ts'
import { createRedisCache } from './redis-cache.ts'
import { createRevokedFile } from './revoked-file.ts'
import { answerUpgrade, fetchLive } from './upgrade.ts'

export interface NodeServer {
  readonly url: string
  readonly http: Server
}

/** The app reads the caller's address from this header, which Cloudflare sets. */
const ADDRESS = 'cf-connecting-ip'
/** Of the request line and the headers. */
const HEAD_BYTES_MAX = 128 << 10

/**
 * Throws an OperatorError that names every missing or wrong setting. `assets_dir`: see assets.ts.
 */
export async function startNodeServer(
  config: NodeConfig,
  bindings: unknown,
  assets_dir: string,
  log: Logger,
): Promise<NodeServer> {
  const redis =
    config.redis_url === undefined
      ? undefined
      : connectRedis(config.redis_url, 'nothing is cached beyond this process', log)
  const app = composeApp(bindings, {
    now: () => fromMillis(Date.now()),
    report: (error, request) => log.error({ err: error, ...request }, 'A request failed.'),
    note(request, slow_ms) {
      if (request.duration_ms < slow_ms || request.source === 'live') return
      log.warn({ ...request }, 'The request was slow.')
    },
    cache: redis === undefined ? createMemoryCache(Date.now) : createRedisCache(redis),
    access: {
      revoked_tokens: createRevokedFile(config.revoked_file),
      limitToken: createRateLimit(config.rates.per_token, Date.now),
      limitAddress: createRateLimit(config.rates.per_address, Date.now),
    },
    open_body: () => new TransformStream<Uint8Array, Uint8Array>(),
    fetch_live: fetchLive,
  })
  const assets = listAssets(assets_dir)
  const answer = async (request: Request, incoming: IncomingMessage): Promise<Response> => {
    const asset = assets[new URL(request.url).pathname]
    if (asset !== undefined) return sendAsset(request, asset, assets_dir)
    const headers = new Headers(request.headers)
    headers.set(ADDRESS, addressOf(incoming, config.is_behind_proxy))
    return app.fetch(withHeaders(request, headers), {}, createContext(log))
  }
  const http = createAdaptorServer({
    fetch: (request, { incoming }) =>
      answer(request, incoming as IncomingMessage).catch((error: unknown) => {
        log.error({ err: error }, 'A request failed unexpectedly.')
        return new Response(null, { status: 500 })
      }),
    // As long as on Cloudflare; Node's own limit answers before the app could.
    serverOptions: { maxHeaderSize: HEAD_BYTES_MAX },
    // The global Request and Response stay those of Node.
    overrideGlobalObjects: false,
  }) as Server
  http.on('close', () => redis?.close())
  http.on('upgrade', (incoming, socket, head) => {
    const url = `http://${incoming.headers.host ?? 'localhost'}${incoming.url ?? '/'}`
    const headers = Object.entries(incoming.headersDistinct).flatMap(([name, values]) =>
      values!.map((value): [string, string] => [name, value]),
    )
    answerUpgrade({ socket, head }, () => answer(new Request(url, { headers }), incoming)).catch(
      (error: unknown) => {
        log.warn({ err: error }, 'A WebSocket could not be opened.')
        socket.destroy()
      },
    )
  })
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject)
    http.listen(config.port, config.host, resolve)
  })
  return { url: `http://${config.host}:${(http.address() as AddressInfo).port}`, http }
}

function withHeaders({ url, method, body, signal }: Request, headers: Headers): Request {
  const has_body = method !== 'GET' && method !== 'HEAD' && body !== null
  return new Request(url, {
    method,
    headers,
    signal,
    ...(has_body ? { body, duplex: 'half' } : {}),
  })
}

/** What Cloudflare passes to a worker. Work that outlives its request goes on by itself here. */
function createContext(log: Logger): Parameters<ReturnType<typeof composeApp>['fetch']>[2] {
  return {
    waitUntil(work: Promise<unknown>) {
      work.catch((error: unknown) => log.warn({ err: error }, 'Work after an answer failed.'))
    },
    passThroughOnException: () => undefined,
    props: {},
  }
}

function addressOf({ socket, headers }: IncomingMessage, is_behind_proxy: boolean): string {
  const forwarded = headers['x-forwarded-for']
  const last = is_behind_proxy
    ? String(forwarded ?? '')
        .split(',')
        .at(-1)
        ?.trim()
    : undefined
  return last || (socket.remoteAddress ?? 'unknown')
}

function sendAsset(request: Request, asset: Asset, assets_dir: string): Response {
  if (asset.kind === 'redirect') {
    return new Response(null, { status: 307, headers: { location: asset.to } })
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return new Response(null, { status: 405, headers: { allow: 'GET, HEAD' } })
  }
  if (request.headers.get('if-none-match')?.includes(asset.headers['etag']!) === true) {
    return new Response(null, { status: 304, headers: asset.headers })
  }
  const body = request.method === 'HEAD' ? null : readFileSync(join(assets_dir, asset.file))
  return new Response(body, { headers: asset.headers })
}
