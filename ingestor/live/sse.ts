/**
 * Clients over server-sent events. The query names the streams, and the id of each event holds the
 * cursors of all of them. A client that reconnects sends the last id and gets what it missed.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Cursor } from './cursor.ts'
import { eventId, parseCursor, parseEventId } from './cursor.ts'
import { Fault } from './fault.ts'
import type { Found, Hub } from './hub.ts'
import type { Outlet } from './outlet.ts'
import { STREAM_PARAMETERS } from './protocol.ts'
import { type Message, payloadOf } from './wire.ts'

/** Few, because each event's id has a cursor for every stream. */
export const SSE_STREAMS_MAX = 50
export const SSE_PARAMETERS = [...STREAM_PARAMETERS, 'resume', 'last_event_id']

const END = Buffer.from('\n\n')

export function serveEvents(
  hub: Hub,
  request: IncomingMessage,
  response: ServerResponse,
  query: URLSearchParams,
  found: readonly Found[],
  token_id: string | undefined,
): void {
  if (found.length > SSE_STREAMS_MAX) {
    throw new Fault('too_many_subscriptions', `At most ${SSE_STREAMS_MAX} streams over SSE.`)
  }
  const cursors = cursorsOf(request, query, found)
  const outlet = outletOf(response, hub.epoch, found, cursors)
  const session = hub.open(outlet, token_id)
  response.on('close', () => session.noteClosed())
  response.on('error', () => undefined)
  try {
    hub.subscribe(session, found, cursors)
  } catch (error) {
    session.noteClosed()
    throw error
  }
}

function cursorsOf(
  { headers }: IncomingMessage,
  query: URLSearchParams,
  found: readonly Found[],
): readonly (Cursor | undefined)[] {
  const event_id = headers['last-event-id'] ?? query.get('last_event_id')
  if (typeof event_id === 'string' && event_id !== '') {
    const cursors = parseEventId(event_id, found.length)
    if (cursors !== undefined) return cursors
    throw new Fault('bad_cursor', 'Last-Event-ID is no id of an event of these streams.')
  }
  const resume = query.get('resume')
  if (resume === null) return found.map(() => undefined)
  const cursor = parseCursor(resume)
  if (cursor !== undefined) return found.map(() => cursor)
  throw new Fault('bad_cursor', '"resume" must be EPOCH:SEQ of a message.')
}

function outletOf(
  response: ServerResponse,
  epoch: string,
  found: readonly Found[],
  cursors: readonly (Cursor | undefined)[],
): Outlet {
  const index_of = new Map(found.map(({ stream }, index) => [stream.key, index]))
  const seqs = found.map(({ stream }, index) => {
    return cursors[index]?.seq ?? stream.newest_seq
  })
  let has_begun = false
  const begin = (): void => {
    if (has_begun) return
    has_begun = true
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      // Proxies that buffer would hold the stream back.
      'x-accel-buffering': 'no',
    })
    response.write('retry: 1000\n\n')
  }
  return {
    kind: 'sse',
    encode(key, messages) {
      const index = index_of.get(key)!
      return Buffer.concat(
        messages.flatMap((message: Message) => {
          seqs[index] = message.seq
          const head = Buffer.from(`id: ${eventId(epoch, seqs)}\ndata: `)
          return [head, payloadOf(message.frame), END]
        }),
      )
    },
    encodeOther: (text) => Buffer.from(`data: ${text}\n\n`),
    write(bytes) {
      begin()
      return response.write(bytes)
    },
    onDrain: (listener) => void response.on('drain', listener),
    get pending_bytes() {
      return response.writableLength
    },
    close: () => void response.end(),
    destroy: () => void response.destroy(),
  }
}
