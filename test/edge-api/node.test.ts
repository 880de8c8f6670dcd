/** The edge API on Node: all that it does elsewhere, and what replaces Cloudflare here. */
import { appendFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { mintToken } from '#core/access-token.ts'
import { silentLogger } from '#core/node/log.ts'
import { fromMillis } from '#core/time.ts'
import { parseNodeConfig } from '../../edge-api/node/config.ts'
import { startNodeServer } from '../../edge-api/node/server.ts'
import { freePort } from '../../infra/local/ports.ts'
import { archiveHour, dropHour } from '../support/archive-hours.ts'
import { atFileEnd } from '../support/file-end.ts'
import { fillHour } from '../support/market-hours.ts'
import { ended, has_redis, startRedis } from '../support/redis.ts'
import { workerBundle } from '../support/worker-bundle.ts'
import { addSymbol, startEdge, TOKEN_SECRET } from './support.ts'
import { testRuntime, type Runtime } from './runtime.ts'

async function start(
  bindings: Readonly<Record<string, string>>,
  settings: Readonly<Record<string, string>> = {},
): Promise<Runtime> {
  const { assets_dir } = await workerBundle()
  const config = parseNodeConfig({ PORT: '0', ...settings })
  const { url, http } = await startNodeServer(config, bindings, assets_dir, silentLogger)
  return {
    url,
    async stop() {
      http.closeAllConnections()
      await new Promise((resolve) => http.close(resolve))
    },
  }
}

// The page of /docs is the same files: one runtime shows it in a browser.
await testRuntime((bindings) => start(bindings, { RATE_PER_ADDRESS: '1000000' }), {
  has_browser: false,
})

describe('instead of Cloudflare', async () => {
  const edge = await startEdge()
  const dir = await mkdtemp(join(tmpdir(), 'booktape-node-'))
  const running: Runtime[] = []
  afterAll(async () => {
    for (const one of running) await one.stop()
    await rm(dir, { recursive: true })
  })
  const serve = async (settings: Readonly<Record<string, string>>): Promise<string> => {
    const server = await start({ ...edge.bindings, PUBLIC_READ: 'false' }, settings)
    running.push(server)
    return server.url
  }
  const statusOf = async (url: string, headers: Record<string, string> = {}): Promise<number> =>
    (await fetch(url, { headers })).status

  test('a token is revoked by a line in the file', async () => {
    const REVOKED_FILE = join(dir, 'revoked')
    const url = await serve({ REVOKED_FILE })
    const { text, payload } = await mintToken(TOKEN_SECRET, ['read'], 1, fromMillis(Date.now()))
    const shown = { authorization: `Bearer ${text}` }
    expect(await statusOf(`${url}/v1/symbols`, shown)).toBe(200)
    await appendFile(REVOKED_FILE, `${payload.id}\n`)
    await expect.poll(() => statusOf(`${url}/v1/symbols`, shown)).toBe(401)
  })

  test('a list that cannot be read lets no token in', async () => {
    const url = await serve({ REVOKED_FILE: dir })
    const { text } = await mintToken(TOKEN_SECRET, ['read'], 1, fromMillis(Date.now()))
    expect(await statusOf(`${url}/v1/symbols`, { authorization: `Bearer ${text}` })).toBe(503)
  })

  test('an address has its rate, whatever address a caller claims', async () => {
    const url = await serve({ RATE_PER_ADDRESS: '5' })
    const claims = Array.from({ length: 30 }, (_, i) =>
      statusOf(url, { 'cf-connecting-ip': `10.0.0.${i}`, 'x-forwarded-for': `10.0.1.${i}` }),
    )
    const refused = (await Promise.all(claims)).filter((status) => status === 429)
    // The window of ten seconds may end meanwhile.
    expect(refused.length).toBeGreaterThanOrEqual(20)
  })

  test('behind a proxy, the address is the last one of X-Forwarded-For', async () => {
    const url = await serve({ RATE_PER_ADDRESS: '1', BEHIND_PROXY: '1' })
    const from = (address: string) => statusOf(url, { 'x-forwarded-for': `9.9.9.9, ${address}` })
    const statuses = await Promise.all(Array.from({ length: 10 }, (_, i) => from(`10.0.0.${i}`)))
    expect(new Set(statuses)).toEqual(new Set([200]))
  })

  test('wrong settings are named', () => {
    expect(() => parseNodeConfig({ PORT: 'x', BEHIND_PROXY: 'yes' })).toThrow(/PORT.*BEHIND_PROXY/s)
  })
})

test.skipIf(!has_redis)(
  `with Redis, servers share a cache, and lose nothing without it`,
  async () => {
    const edge = await startEdge({ own_store: true })
    const dir = await mkdtemp(join(tmpdir(), 'booktape-edge-redis-'))
    const port = await freePort()
    let redis = startRedis(dir, port)
    const servers: Runtime[] = []
    atFileEnd(async () => {
      for (const one of servers) await one.stop()
      redis.kill('SIGKILL')
      await rm(dir, { recursive: true })
    })
    /** A server that has just started: nothing is in its memory. */
    const ask = async (path: string): Promise<string> => {
      const settings = { REDIS_URL: `redis://127.0.0.1:${port}`, LOG_LEVEL: 'error' }
      const server = await start(edge.bindings, settings)
      servers.push(server)
      // It connects in the background.
      await new Promise((resolve) => setTimeout(resolve, 200))
      const response = await fetch(server.url + path)
      return `${response.status} ${await response.text()}`
    }
    const hour = '2024-08-07T22:00:00Z'
    const id = await addSymbol(edge.pool, 'COLDUSDT')
    await fillHour(edge.pool, id, hour, 300)
    await dropHour(edge.pool, await archiveHour(edge.pool, edge.store, 'trades', hour))
    const path = `/v1/trades/COLDUSDT?from=${hour}&to=2024-08-07T23:00:00Z`
    const answer = await ask(path)
    expect(answer).toMatch(/^200 .*"row_count":300/)
    redis.kill('SIGTERM')
    await ended(redis)
    expect(await ask(path)).toBe(answer)
    redis = startRedis(dir, port)
    await expect.poll(() => ask(path)).toBe(answer)
    await edge.stopStore()
    await edge.stopGateway()
    // Only Redis has it now.
    expect(await ask(path)).toBe(answer)
    redis.kill('SIGKILL')
    await ended(redis)
    expect(await ask(path)).toMatch(/^503 /)
  },
)
