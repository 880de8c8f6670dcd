/** The Caddyfile in a real Caddy: TLS, which path goes where, and a WebSocket through it. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { createServer } from 'node:http'
import { request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { freePorts } from '../../../infra/local/ports.ts'
import { atFileEnd } from '../../support/file-end.ts'
import { ROOT } from '../../support/imports.ts'

const why_not =
  spawnSync('caddy', ['version']).error === undefined ? undefined : 'caddy is not installed.'
if (why_not !== undefined) process.stderr.write(`The Caddyfile is not tested: ${why_not}\n`)

/** A program behind the proxy: answers with its name and the path, echoes on a socket. */
async function startProgram(name: string): Promise<string> {
  const server = createServer((asked, response) => response.end(`${name} ${asked.url}`))
  const sockets = new WebSocketServer({ server })
  sockets.on('connection', (socket) =>
    socket.on('message', (data) => socket.send(`${name} ${data}`)),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  atFileEnd(() => {
    for (const socket of sockets.clients) socket.terminate()
    server.close()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function startCaddy(env: Readonly<Record<string, string>>): Promise<number> {
  const [https, http] = await freePorts(2)
  const home = mkdtempSync(join(tmpdir(), 'booktape-caddy-'))
  const caddy = spawn(
    'caddy',
    ['run', '--adapter', 'caddyfile', '--config', join(ROOT, 'infra/caddy/Caddyfile')],
    {
      stdio: 'ignore',
      env: {
        PATH: process.env['PATH'],
        HOME: home,
        DOMAIN: `https://localhost:${https}`,
        CADDY_TLS: 'tls internal',
        CADDY_OPTIONS: `http_port ${http}\nadmin off\nskip_install_trust`,
        ...env,
      },
    },
  )
  atFileEnd(() => void caddy.kill())
  return https!
}

function get(port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    request({ host: 'localhost', port, path, rejectUnauthorized: false }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => (text += part))
      response.on('end', () => resolve(text))
    })
      .on('error', reject)
      .end()
  })
}

test.skipIf(why_not !== undefined)(
  'the proxy gives each path to its program, over TLS',
  async () => {
    const port = await startCaddy({
      GATEWAY_UPSTREAM: await startProgram('gateway'),
      LIVE_UPSTREAM: await startProgram('live'),
      CONSOLE_UPSTREAM: await startProgram('console'),
    })
    await expect.poll(() => get(port, '/health').catch(() => '')).toBe('gateway /health')
    for (const [path, answer] of [
      ['/sql', 'gateway /sql'],
      ['/newest-quote?symbol_id=1', 'gateway /newest-quote?symbol_id=1'],
      ['/', 'console /'],
      ['/api/summary?x=1', 'console /api/summary?x=1'],
      ['/v1/live', 'live /v1/live'],
      ['/v1/live/trades/BTCUSDT', 'live /v1/live/trades/BTCUSDT'],
      ['/sql/other', 'console /sql/other'],
    ] as const) {
      expect(await get(port, path)).toBe(answer)
    }
    const socket = new WebSocket(`wss://localhost:${port}/v1/live`, { rejectUnauthorized: false })
    await once(socket, 'open')
    socket.send('hello')
    const [data] = (await once(socket, 'message')) as [Buffer]
    expect(String(data)).toBe('live hello')
    socket.close()
  },
)
