/**
 * Memory of the worker while several callers request the largest answers, from a store as large as
 * on a busy day, with an empty cache and no database. The isolate must stay below 128 MiB. With one
 * kind of page, the whole process must stay below 128 MiB more than when idle. Cloudflare ends an
 * isolate that exceeds 128 MiB, with all its requests.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { createObjectStore } from '#core/node/object-store.ts'
import { helperProcesses } from '../../infra/local/helper-processes.ts'
import { startObjectStore } from '../../infra/local/object-store.ts'
import { freePort } from '../../infra/local/ports.ts'
import { startWorker, type LocalWorker } from '../../infra/local/worker.ts'
import { workerBundle } from '../support/worker-bundle.ts'
import { meterIsolate, type IsolateMeter } from './memory/isolate.ts'
import { DATE, fillLake, SYMBOL } from './memory/lake.ts'
import { bindingsOf } from './support.ts'

const MIB = 1 << 20
const ISOLATE_BYTES_MAX = 128 * MIB
/**
 * Limit of the JavaScript heap alone. Without it workerd collects garbage later than Cloudflare,
 * where the whole isolate has 128 MiB; workerd ends if it needs more than the limit.
 */
const V8_FLAGS = '--max-heap-size=40 --max-semi-space-size=4'
/** Limit of the process with all kinds at once. Includes Miniflare's cache: docs/decisions/0020. */
const ALL_BYTES_MAX = 160 * MIB
const SLOW_COUNT = 100
const FORMATS = ['json', 'ndjson', 'csv', 'arrow'] as const

const dir = await mkdtemp(join(tmpdir(), 'booktape-memory-'))
let worker: LocalWorker
let stopStore: (() => Promise<void>) | undefined
let meter: IsolateMeter
let idle_bytes: number

beforeAll(async () => {
  const server = await startObjectStore({
    dir: join(dir, 'store'),
    port: 0,
    access_key_id: 'key',
    secret_access_key: 'secret',
  })
  stopStore = () => server.stop()
  const store = createObjectStore(server.config)
  await fillLake(store, dir)
  store.close()
  // Nothing listens there: all rows come from the archive.
  const gateway_url = `http://127.0.0.1:${await freePort()}`
  vi.stubEnv('MINIFLARE_WORKERD_V8_FLAGS', V8_FLAGS)
  worker = await startWorker({
    port: 0,
    bundle: await workerBundle(),
    bindings: bindingsOf(
      'postgres://reader:password@127.0.0.1/booktape',
      gateway_url,
      server.config,
    ),
    persist_dir: join(dir, 'state'),
    has_inspector: true,
  })
  for (const path of ['/', '/openapi.json']) await (await fetch(worker.url + path)).arrayBuffer()
  meter = await meterIsolate(worker.inspector_url!, 'booktape-edge')
  idle_bytes = residentBytes('VmRSS')
})
afterAll(async () => {
  vi.unstubAllEnvs()
  meter?.close()
  await worker?.stop()
  await stopStore?.()
  await rm(dir, { recursive: true })
})

/** Memory of all processes of workerd, now (VmRSS) or the maximum since the reset (VmHWM). */
function residentBytes(what: 'VmRSS' | 'VmHWM'): number {
  return workerds().reduce((sum, pid) => {
    const line = new RegExp(`^${what}:\\s+(\\d+) kB`, 'm').exec(
      readFileSync(`/proc/${pid}/status`, 'utf8'),
    )
    return sum + Number(line![1]) * 1_024
  }, 0)
}

function workerds(): readonly number[] {
  return helperProcesses()
    .map(({ pid }) => pid)
    .filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('workerd'))
}

async function forgetPeak(): Promise<void> {
  await vi.waitFor(() => meter.takePeak(), { timeout: 10_000 })
  for (const pid of workerds()) writeFileSync(`/proc/${pid}/clear_refs`, '5')
}

let asked = 0

/** A range that no test has requested yet, so that nothing is cached. */
const hour = (of_day: number): string => {
  const ms = String((asked += 1)).padStart(3, '0')
  return `from=${DATE}T${of_day}:00:00.${ms}Z&to=${DATE}T${of_day + 1}:00:00Z&limit=10000`
}

const WORST: Readonly<Record<string, (format: string) => string>> = {
  depth: (format) => `/v1/depth/${SYMBOL}?${hour(22)}&format=${format}`,
  'depth of a file of before': (format) => `/v1/depth/${SYMBOL}?${hour(21)}&format=${format}`,
  'sampled books': (format) => `/v1/orderbook-topn/${SYMBOL}?${hour(22)}&format=${format}`,
  quotes: (format) => `/v1/quotes/${SYMBOL}?${hour(22)}&format=${format}`,
  trades: (format) => `/v1/trades/${SYMBOL}?${hour(22)}&format=${format}`,
  features: (format) => `/v1/features/${SYMBOL}?${hour(22)}&format=${format}`,
  // The end of the hour: needs every update since the last snapshot.
  book: () => `/v1/book/${SYMBOL}?depth=5000&ts=${DATE}T22:59:${10 + ((asked += 1) % 50)}Z`,
}

for (const [name, pathOf] of Object.entries(WORST)) {
  test(`${name}: ${FORMATS.length} concurrent callers, each with another format`, async () => {
    await forgetPeak()
    const answers = await Promise.all(FORMATS.map((format) => askUntilAnswered(pathOf(format))))
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    expectSmall(name)
  })
}

test('all of them at once, and batches of tools: answered, or a 503 with Retry-After', async () => {
  await forgetPeak()
  const paths = Object.values(WORST).flatMap((pathOf) => FORMATS.map((format) => pathOf(format)))
  const answers = await Promise.all([...paths.map((path) => ask(path)), askTools(), askTools()])
  const refused = answers.filter(({ status }) => status !== 200)
  expect(refused).toEqual(refused.map(() => ({ status: 503, retry_after: '2' })))
  // How many get their turn within the gate's five seconds depends on the machine.
  expect(refused.length).toBeLessThan(answers.length)
  expect(residentBytes('VmHWM') - idle_bytes).toBeLessThan(ALL_BYTES_MAX)
  expect(meter.takePeak()).toBeLessThan(ISOLATE_BYTES_MAX)
  const after = await askUntilAnswered(WORST['depth']!('json'))
  expect(after.status).toBe(200)
})

test('callers that read 1 kB/s: their bodies are bounded, others get a 503, and fast ones are served', async () => {
  await forgetPeak()
  const before_bytes = residentBytes('VmRSS')
  const slow = Array.from({ length: SLOW_COUNT }, (_, i) => {
    return startSlowReader(WORST['depth']!(FORMATS[i % FORMATS.length]!))
  })
  await expect.poll(() => slow.some(({ head }) => head().startsWith('HTTP/1.1 200'))).toBe(true)
  const fast = await Promise.all(
    FORMATS.map((format) => askUntilAnswered(WORST['trades']!(format))),
  )
  expect(fast.map(({ status }) => status)).toEqual(fast.map(() => 200))
  await expect.poll(() => slow.every(({ head }) => head() !== '')).toBe(true)
  // If the worker held their bodies, these alone would be 200 MB.
  expect(residentBytes('VmHWM') - before_bytes).toBeLessThan(ISOLATE_BYTES_MAX / 2)
  expect(meter.takePeak()).toBeLessThan(ISOLATE_BYTES_MAX)
  const refused = slow.filter(({ head }) => !head().startsWith('HTTP/1.1 200'))
  for (const { head } of refused) expect(head()).toMatch(/^HTTP\/1\.1 503 [^]*retry-after: 2\r\n/i)
  for (const one of slow) one.stop()
})

/** Reads on a separate socket, paused except for a kilobyte per second. */
function startSlowReader(path: string) {
  const socket = connect({ port: Number(new URL(worker.url).port), host: '127.0.0.1' })
  let text = ''
  const timer = setInterval(() => {
    const bytes = socket.read(Math.min(1_000, socket.readableLength)) as Buffer | null
    if (bytes === null) return
    if (!text.includes('\r\n\r\n')) text += bytes.toString('latin1')
  }, 1_000)
  socket.on('readable', () => undefined)
  socket.on('error', () => undefined)
  socket.on('close', () => clearInterval(timer))
  socket.write(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n`)
  const head = (): string => /^[^]*?\r\n\r\n/.exec(text)?.[0] ?? ''
  return { head, stop: () => socket.destroy() }
}

/**
 * The whole process is the stricter limit: it includes 14 isolates of Miniflare and the allocator's
 * reserves.
 */
function expectSmall(name: string): void {
  const held_bytes = residentBytes('VmHWM') - idle_bytes
  expect(held_bytes, name).toBeLessThan(ISOLATE_BYTES_MAX)
  expect(meter.takePeak(), name).toBeLessThan(ISOLATE_BYTES_MAX)
}

interface Answered {
  readonly status: number
  readonly retry_after: string | null
}

async function ask(path: string, init: RequestInit = {}): Promise<Answered> {
  const response = await fetch(worker.url + path, init)
  await response.arrayBuffer()
  return { status: response.status, retry_after: response.headers.get('retry-after') }
}

/** Retries after a 503, as a client does: on a busy machine one answer takes seconds. */
async function askUntilAnswered(path: string): Promise<Answered> {
  for (;;) {
    const answer = await ask(path)
    if (answer.status !== 503) return answer
    await new Promise((resolve) => setTimeout(resolve, Number(answer.retry_after) * 1_000))
  }
}

/** The maximum number of messages in one batch, each for the largest answer of a tool. */
function askTools(): Promise<Answered> {
  const messages = Array.from({ length: 10 }, (_, id) => ({
    jsonrpc: '2.0',
    id,
    method: 'tools/call',
    params: {
      name: 'get_features',
      arguments: {
        symbol: SYMBOL,
        from: `${DATE}T0${id}:00:00Z`,
        to: `${DATE}T23:00:00Z`,
        limit: 1_000,
      },
    },
  }))
  return ask('/mcp', {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: JSON.stringify(messages),
  })
}
