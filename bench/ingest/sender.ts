/**
 * The benchmark's exchange, in its own process. It uses the exchange server's protocol code, but
 * sends pre-encoded frames, or frames at an exact rate, to use as little CPU as possible.
 * recording.ts controls it over IPC.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { silentLogger } from '#core/node/log.ts'
import { onShutdown, tellParent } from '#core/node/shutdown.ts'
import { FaultDesk } from '../../infra/exchange/faults/desk.ts'
import { acceptSockets } from '../../infra/exchange/protocol/handshake.ts'
import { type Client, Hub, type Topic } from '../../infra/exchange/protocol/hub.ts'
import { answerRest } from '../../infra/exchange/protocol/rest.ts'
import { DEFAULT_LIMITS } from '../../infra/exchange/server.ts'
import type { RestSource, Source } from '../../infra/exchange/source.ts'
import type { FromSender, Step, ToSender } from './recording.ts'
import { type EventRange, prepared, SYMBOLS, Workload, type WorkloadEvent } from './workload.ts'

const SLOW_BYTES = 1024 * 1024
const TICK_MS = 4

const rest: RestSource = {
  nowMs: Date.now,
  listings: () => SYMBOLS.map(({ listing }) => listing),
  depth: () => undefined,
  aggTrades: () => [],
  trades: () => [],
  premiumIndex: () => undefined,
  ticker24h: () => undefined,
}
const faults = new FaultDesk(Math.random, () => performance.now())
const hub = new Hub(faults, { kind: 'wait', limit_bytes: SLOW_BYTES }, silentLogger)
const topics = new Map<string, Topic>()
for (const { listing } of SYMBOLS) {
  for (const stream_class of ['bookTicker', 'aggTrade']) {
    const stream = `${listing.symbol.toLowerCase()}@${stream_class}`
    topics.set(stream, hub.createTopic(stream))
  }
}
const source: Pick<Source, 'topicsOf'> = {
  topicsOf: (stream) => [topics.get(stream)].filter((topic) => topic !== undefined),
}

const server = createServer((request, response) => {
  const url = new URL(request.url ?? '', 'http://exchange')
  const found = answerRest(
    url.pathname,
    url.searchParams,
    rest,
    DEFAULT_LIMITS.weight_per_minute_max,
  )
  response.writeHead(found === undefined ? 404 : 200, { 'content-type': 'application/json' })
  response.end(JSON.stringify(found?.body() ?? {}))
})
acceptSockets(server, hub, source, faults, DEFAULT_LIMITS)
onShutdown(silentLogger, async () => {
  for (const client of hub.clients) client.terminate()
  server.closeAllConnections()
  server.close()
})
let frames: readonly Chunk[] = []
process.on('message', (message: ToSender) => void obey(message))
server.listen(0, '127.0.0.1', () => {
  tell({ type: 'ready', port: (server.address() as AddressInfo).port })
})

const tell = (message: FromSender): void => tellParent({ ...message })

interface Chunk {
  readonly client: Client
  readonly bytes: Buffer
}

async function obey(message: ToSender): Promise<void> {
  switch (message.type) {
    case 'prepare':
      frames = encodeFrames(message.events)
      return tell({ type: 'prepared' })
    case 'burst':
      await sendChunks(frames)
      frames = []
      return tell({ type: 'sent' })
    case 'pace':
      return tell({ type: 'paced', ...(await sendAtRates(message.steps)) })
  }
}

function clientOf(event: WorkloadEvent): Client {
  const [client] = topics.get(event.stream)!.clients
  if (client === undefined) throw new Error(`No client has subscribed to ${event.stream}.`)
  return client
}

function frameOf(event: WorkloadEvent): string {
  return `{"stream":"${event.stream}","data":${event.payload}}`
}

/** Encoded WebSocket frames, in pieces of about 64 KiB, each for one socket. */
function encodeFrames(events: EventRange): readonly Chunk[] {
  const chunks: Chunk[] = []
  const open = new Map<Client, { bytes: Buffer; end: number }>()
  const close = (client: Client, { bytes, end }: { bytes: Buffer; end: number }): void => {
    chunks.push({ client, bytes: bytes.subarray(0, end) })
  }
  for (const event of prepared(events)) {
    const client = clientOf(event)
    const text = frameOf(event)
    let chunk = open.get(client)
    if (chunk !== undefined && chunk.end + 4 + text.length > chunk.bytes.length) {
      close(client, chunk)
      chunk = undefined
    }
    if (chunk === undefined) {
      chunk = { bytes: Buffer.allocUnsafeSlow(64 * 1024), end: 0 }
      open.set(client, chunk)
    }
    // A final text frame of 126 to 65,535 bytes.
    chunk.bytes.writeUInt16BE(0x81_7e, chunk.end)
    chunk.bytes.writeUInt16BE(text.length, chunk.end + 2)
    chunk.bytes.write(text, chunk.end + 4, 'latin1')
    chunk.end += 4 + text.length
  }
  for (const [client, chunk] of open) close(client, chunk)
  return chunks
}

/** Sends as fast as the client reads. */
async function sendChunks(chunks: readonly Chunk[]): Promise<void> {
  for (const { client, bytes } of chunks) {
    client.outbox.encoded(bytes)
    if (client.outbox.waiting_bytes > SLOW_BYTES) await client.outbox.drained(SLOW_BYTES)
  }
  await hub.empty()
}

/** Sends events at exact rates, each with its own millisecond as time. */
async function sendAtRates(
  steps: readonly Step[],
): Promise<{ sent_count: number; behind_ms_max: number }> {
  const workload = new Workload()
  const clock_offset_ms = Date.now() - performance.now()
  let sent_count = 0
  let behind_ms_max = 0
  let begun = performance.now()
  for (const { events_per_s, seconds } of steps) {
    const total = Math.round(events_per_s * seconds)
    for (let count = 0; count < total;) {
      await sleep(TICK_MS)
      const now = performance.now()
      behind_ms_max = Math.max(behind_ms_max, now - begun - (count / events_per_s) * 1_000)
      const due = Math.min(total, Math.floor(((now - begun) / 1_000) * events_per_s))
      const ts_ms = Math.floor(now + clock_offset_ms)
      for (; count < due; count++) {
        const event = workload.next(ts_ms)
        clientOf(event).outbox.text(frameOf(event))
      }
      hub.flush()
    }
    sent_count += total
    begun += seconds * 1_000
  }
  await hub.empty()
  return { sent_count, behind_ms_max: Math.round(behind_ms_max) }
}
