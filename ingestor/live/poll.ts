/**
 * For clients that cannot hold a connection open. One answer has the messages after a cursor. It
 * is sent as soon as there is a message, or empty after the time that the client chose to wait.
 */
import type { ServerResponse } from 'node:http'
import { cursorText, parseCursor } from './cursor.ts'
import { Fault } from './fault.ts'
import type { Found, Hub } from './hub.ts'
import type { Outlet } from './outlet.ts'
import { STREAM_PARAMETERS } from './protocol.ts'
import { type Message, payloadOf } from './wire.ts'

export const WAIT_S_MAX = 60
export const POLL_PARAMETERS = [...STREAM_PARAMETERS, 'resume', 'wait']
/** An answer with this many bytes is sent at once. */
const ANSWER_BYTES_MAX = 512 * 1024
/** Waits this long for more messages, so that a burst fits into one answer. */
const GATHER_MS = 20

export function servePoll(
  hub: Hub,
  response: ServerResponse,
  query: URLSearchParams,
  found: readonly Found[],
  token_id: string | undefined,
): void {
  const [one, ...others] = found
  if (one === undefined || others.length > 0) {
    throw new Fault('bad_message', 'A poll is for one channel of one symbol.')
  }
  const wait_s = Number(query.get('wait') ?? 0)
  if (!(wait_s >= 0 && wait_s <= WAIT_S_MAX)) {
    throw new Fault('bad_message', `"wait" must be seconds from 0 to ${WAIT_S_MAX}.`)
  }
  const resume = query.get('resume')
  const cursor = resume === null ? undefined : parseCursor(resume)
  if (resume !== null && cursor === undefined) {
    throw new Fault('bad_cursor', '"resume" must be EPOCH:SEQ of a message.')
  }
  const { stream } = one
  const messages: string[] = []
  let bytes = 0
  let seq = cursor?.seq ?? stream.newest_seq
  let timer: NodeJS.Timeout | undefined
  let is_answered = false
  let failure: { readonly code: string; readonly message: string } | undefined

  const answer = (): void => {
    if (is_answered) return
    is_answered = true
    clearTimeout(timer)
    session.noteClosed()
    const { epoch } = hub
    const body =
      failure === undefined
        ? `{"epoch":"${epoch}","seq":${seq},"resume":"${cursorText({ epoch, seq })}","messages":[${messages.join(',')}]}`
        : JSON.stringify(failure)
    response.writeHead(failure === undefined ? 200 : 503, {
      'content-type': 'application/json',
      'cache-control': 'no-store',
    })
    response.end(body)
  }
  const answerIn = (ms: number): void => {
    clearTimeout(timer)
    timer = setTimeout(answer, ms)
  }
  const outlet: Outlet = {
    kind: 'poll',
    encode(_key, passed: readonly Message[]) {
      for (const message of passed) {
        if (bytes > ANSWER_BYTES_MAX) break
        const text = payloadOf(message.frame).toString('utf8')
        messages.push(text)
        bytes += text.length
        seq = message.seq
      }
      return NOTHING
    },
    encodeOther(text) {
      const said = JSON.parse(text) as { readonly type: string; code: string; message: string }
      if (said.type === 'closing') failure = { code: said.code, message: said.message }
      return NOTHING
    },
    write() {
      if (failure !== undefined || bytes > ANSWER_BYTES_MAX) answer()
      else if (messages.length > 0) answerIn(GATHER_MS)
      return true
    },
    onDrain: () => undefined,
    pending_bytes: 0,
    close: answer,
    destroy: answer,
  }
  const session = hub.open(outlet, token_id)
  response.on('close', () => session.noteClosed())
  answerIn(wait_s * 1_000)
  try {
    hub.subscribe(session, found, [cursor])
  } catch (error) {
    is_answered = true
    clearTimeout(timer)
    session.noteClosed()
    throw error
  }
}

const NOTHING = Buffer.alloc(0)
