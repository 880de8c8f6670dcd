/** Downloads from a server that is slow, busy, breaks off, and replaces a file. */
import { createHash, randomBytes } from 'node:crypto'
import { statSync } from 'node:fs'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { parseDay } from '#core/time.ts'
import { listFiles } from '../../../jobs/import/files.ts'
import type { SourceFile } from '../../../jobs/import/kind.ts'
import type { Origin } from '../../../jobs/import/origin.ts'
import { createServerOrigin, type ServerOptions } from '../../../jobs/import/server-origin.ts'

const bytes = randomBytes(300_000)
const sum = createHash('sha256').update(bytes).digest('hex')
let server: Server
let dir = ''
let asked: string[] = []
let answer: (request: IncomingMessage, response: ServerResponse) => void

beforeAll(async () => {
  server = createServer((request, response) => {
    const { range } = request.headers
    asked.push(`${request.method}${range === undefined ? '' : ` ${range}`}`)
    answer(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  dir = await mkdtemp(join(tmpdir(), 'booktape-server-'))
})

beforeEach(() => {
  asked = []
  answer = send
})

afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await rm(dir, { recursive: true })
})

const [file] = listFiles({
  source: 'binance',
  exchange: 'binance-futures',
  kinds: ['aggTrades'],
  symbols: ['BTCUSDT'],
  from: parseDay('2024-03-29')!,
  to: parseDay('2024-03-29')!,
  is_monthly: false,
}) as [SourceFile]

function origin(options: Partial<ServerOptions> = {}): Origin {
  const { port } = server.address() as AddressInfo
  return createServerOrigin({
    url: `http://127.0.0.1:${port}/`,
    token: undefined,
    has_checksums: true,
    pause_ms: 0,
    retry_ms: 1,
    signal: new AbortController().signal,
    ...options,
  })
}

/** As S3 does. */
function send(request: IncomingMessage, response: ServerResponse): void {
  if (!request.url!.startsWith(`/${file.path}`)) {
    response.writeHead(404).end()
    return
  }
  const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1]
  const from = Number(range ?? 0)
  if (from >= bytes.length) {
    response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end()
    return
  }
  response.writeHead(range === undefined ? 200 : 206, {
    'content-length': bytes.length - from,
    etag: '"one"',
  })
  response.end(request.method === 'HEAD' ? undefined : bytes.subarray(from))
}

/** Breaks off within the file, once the client has written some of it. */
function cut(part: string): typeof answer {
  return (_request, response) => {
    response.writeHead(200, { 'content-length': bytes.length, etag: '"one"' })
    response.write(bytes.subarray(0, 100_000))
    const timer = setInterval(() => {
      if ((statSync(part, { throwIfNoEntry: false })?.size ?? 0) === 0) return
      clearInterval(timer)
      response.destroy()
    }, 5)
  }
}

async function get(of: Origin, part: string, stated: string | undefined = sum): Promise<boolean> {
  const path = await of.get(file, part, stated, () => undefined)
  return bytes.equals(await readFile(path))
}

test('a download that breaks off goes on where it ended', async () => {
  const part = join(dir, 'cut')
  answer = (request, response) =>
    asked.length === 1 ? cut(part)(request, response) : send(request, response)
  expect(await get(origin(), part)).toBe(true)
  expect(asked).toEqual(['GET', expect.stringMatching(/^GET bytes=[1-9]\d*-$/)])
})

test('a download that stops without an end is continued', async () => {
  answer = (request, response) => {
    if (asked.length > 1) return send(request, response)
    response.writeHead(200, { 'content-length': bytes.length })
    response.write(bytes.subarray(0, 50_000))
  }
  expect(await get(origin({ silence_ms: 700 }), join(dir, 'silent'))).toBe(true)
  expect(asked.slice(0, 2)).toEqual(['GET', expect.stringMatching(/^GET bytes=[1-9]\d*-$/)])
})

test('a slow download is waited for', async () => {
  answer = (_request, response) => {
    response.writeHead(200, { 'content-length': bytes.length })
    void (async () => {
      for (let at = 0; at < bytes.length; at += 50_000) {
        response.write(bytes.subarray(at, at + 50_000))
        await sleep(60)
      }
      response.end()
    })()
  }
  expect(await get(origin({ silence_ms: 5_000 }), join(dir, 'slow'))).toBe(true)
  expect(asked).toEqual(['GET'])
})

test('a part of an earlier run goes on only if a checksum will be compared', async () => {
  const part = join(dir, 'part')
  await writeFile(part, bytes.subarray(0, 70_000))
  expect(await get(origin(), part)).toBe(true)
  expect(await get(origin(), part)).toBe(true)
  await writeFile(part, 'of another file')
  const of = origin({ has_checksums: false })
  expect(await of.get(file, part, undefined, () => undefined)).toBe(part)
  expect(bytes.equals(await readFile(part))).toBe(true)
  expect(asked).toEqual(['GET bytes=70000-', 'GET bytes=300000-', 'GET'])
})

test('a busy server is asked again when it says so, and not for ever', async () => {
  let began_ms = 0
  answer = (request, response) => {
    if (asked.length > 1) return send(request, response)
    began_ms = performance.now()
    response.writeHead(429, { 'retry-after': '1' }).end()
  }
  expect(await origin().find(file)).toEqual({ byte_count: bytes.length })
  expect(performance.now() - began_ms).toBeGreaterThan(990)
  asked = []
  answer = (_request, response) => {
    const retry_after = new Date(Date.now() - 60_000).toUTCString()
    response.writeHead(503, { 'retry-after': retry_after }).end()
  }
  await expect(origin().find(file)).rejects.toMatchObject({ code: 'import_download' })
  expect(asked).toHaveLength(5)
})

test('what is not there is not there, and a refusal says its status', async () => {
  answer = (_request, response) => response.writeHead(404).end()
  expect(await origin().find(file)).toBeUndefined()
  expect(await origin().checksum(file)).toBeUndefined()
  answer = (_request, response) => response.writeHead(401).end()
  await expect(origin().find(file)).rejects.toThrow('status 401')
})
