/**
 * WebSockets of the live stream. fetch() cannot upgrade a connection, so the connection to the live
 * server is opened here and joined with the caller's.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { request, type IncomingMessage } from 'node:http'
import { request as requestTls } from 'node:https'
import type { Duplex } from 'node:stream'

interface Upgrade {
  readonly socket: Duplex
  readonly head: Buffer
  is_joined: boolean
}

const HEADERS_OF_A_HOP = ['connection', 'upgrade', 'transfer-encoding', 'keep-alive']
const current = new AsyncLocalStorage<Upgrade>()

/** A fetch for the live server that joins the connection of `answerUpgrade`, if there is one. */
export const fetchLive: typeof fetch = (input, init) => {
  const upgrade = current.getStore()
  if (upgrade === undefined) return fetch(input, init)
  return join(new URL(String(input)), new Headers(init?.headers), upgrade)
}

/** Asks the app, and sends its answer if it did not join the connection with the live server. */
export async function answerUpgrade(
  { socket, head }: { readonly socket: Duplex; readonly head: Buffer },
  ask: () => Promise<Response>,
): Promise<void> {
  const upgrade: Upgrade = { socket, head, is_joined: false }
  socket.on('error', () => socket.destroy())
  const response = await current.run(upgrade, ask)
  if (!upgrade.is_joined) socket.end(await textOf(response))
}

function join(url: URL, headers: Headers, upgrade: Upgrade): Promise<Response> {
  const { socket, head } = upgrade
  const open = url.protocol === 'https:' ? requestTls : request
  const asked = open(url, {
    headers: { ...Object.fromEntries(headers), connection: 'upgrade', upgrade: 'websocket' },
  })
  return new Promise((resolve, reject) => {
    asked.once('error', reject)
    asked.once('response', (answer) => resolve(refusalOf(answer)))
    asked.once('upgrade', (answer, live, live_head) => {
      upgrade.is_joined = true
      for (const [one, other] of [
        [socket, live],
        [live, socket],
      ] as const) {
        one.on('error', () => other.destroy())
        one.on('close', () => other.destroy())
      }
      socket.write(headOf(101, 'Switching Protocols', pairsOf(answer)))
      socket.write(live_head)
      live.write(head)
      socket.pipe(live).pipe(socket)
      resolve(new Response(null))
    })
    asked.end()
  })
}

function refusalOf(answer: IncomingMessage): Response {
  const body = new ReadableStream({
    async start(controller) {
      for await (const chunk of answer) controller.enqueue(chunk)
      controller.close()
    },
  })
  const headers = pairsOf(answer).filter(([name]) => !HEADERS_OF_A_HOP.includes(name))
  return new Response(body, { status: answer.statusCode ?? 502, headers })
}

function pairsOf({ rawHeaders }: IncomingMessage): [string, string][] {
  return rawHeaders.flatMap((name, i): [string, string][] =>
    i % 2 === 0 ? [[name.toLowerCase(), rawHeaders[i + 1]!]] : [],
  )
}

async function textOf(response: Response): Promise<Buffer> {
  const body = Buffer.from(await response.arrayBuffer())
  const headers: [string, string][] = [
    ...[...response.headers].filter(([name]) => name !== 'content-length'),
    ['content-length', String(body.byteLength)],
    ['connection', 'close'],
  ]
  return Buffer.concat([Buffer.from(headOf(response.status, response.statusText, headers)), body])
}

function headOf(status: number, text: string, headers: readonly (readonly string[])[]): string {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 ${status} ${text}\r\n${lines.join('')}\r\n`
}
