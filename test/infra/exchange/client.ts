/** A plain WebSocket client for these tests: it keeps every frame it gets. */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'

export interface TestClient {
  readonly socket: WebSocket
  /** Frames in order of arrival, as text. */
  readonly frames: string[]
  /** Resolves with the close code. */
  readonly closed: Promise<number>
  /** Sends a request and returns the response. */
  ask(request: Readonly<Record<string, unknown>>): Promise<unknown>
  close(): Promise<void>
}

export async function connect(url: string): Promise<TestClient> {
  const socket = new WebSocket(url)
  const frames: string[] = []
  socket.on('message', (data) => frames.push(String(data)))
  const closed = new Promise<number>((resolve) => {
    socket.on('close', (code) => resolve(code))
  })
  await once(socket, 'open')
  // Set only now: earlier errors are handshake failures and reject.
  socket.on('error', () => undefined)
  return {
    socket,
    frames,
    closed,
    async ask(request) {
      socket.send(JSON.stringify(request))
      const isAnswer = (frame: string): boolean => frame.includes(`"id":${String(request['id'])}}`)
      await until(() => frames.some(isAnswer))
      return JSON.parse(frames.find(isAnswer)!)
    },
    async close() {
      socket.terminate()
      await closed
    },
  }
}

export async function until(holds: () => boolean, limit_ms = 100_000): Promise<void> {
  const deadline = performance.now() + limit_ms
  while (!holds()) {
    if (performance.now() > deadline) {
      throw new Error(`Timed out after ${limit_ms} ms waiting for ${String(holds)}`)
    }
    await sleep(5)
  }
}

export type Fields = Readonly<Record<string, unknown>>

/** Frames of one stream. */
export function countOf(client: TestClient, stream: string): number {
  const start = `{"stream":"${stream}",`
  return client.frames.reduce((count, frame) => count + (frame.startsWith(start) ? 1 : 0), 0)
}

/** Payloads of one stream, from combined frames. */
export function payloadsOf<Data = Fields>(client: TestClient, stream: string): Data[] {
  const start = `{"stream":"${stream}","data":`
  return client.frames
    .filter((frame) => frame.startsWith(start))
    .map((frame) => (JSON.parse(frame) as { data: Data }).data)
}

/** The first index at which two long lists differ; -1 if they are equal. */
export function firstDifference(found: readonly string[], expected: readonly string[]): number {
  const at = expected.findIndex((text, index) => text !== found[index])
  return at === -1 && found.length > expected.length ? expected.length : at
}

export async function getJson(
  url: string,
): Promise<{ status: number; headers: Headers; body: unknown }> {
  const response = await fetch(url)
  return { status: response.status, headers: response.headers, body: await response.json() }
}
