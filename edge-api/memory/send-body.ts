/**
 * Hands an answer's body to its caller part by part, each when the one before it was taken, and
 * counts it in the memory gate until then. A caller that takes too little is disconnected: its
 * body has a Content-Length, so that what it got cannot be taken for the whole.
 */
import type { Context, MiddlewareHandler } from 'hono'
import { bodyOf, PART_BYTES } from './body-parts.ts'
import { busy, type MemoryGate } from './memory-gate.ts'
import { release } from './release.ts'

/** A pair of streams for a body of so many bytes, whose writer waits for its reader. */
export type OpenBody = (byte_count: number) => {
  readonly readable: ReadableStream<Uint8Array>
  readonly writable: WritableStream<Uint8Array>
}

/** Each has a part of its own on its way. */
const READERS_MAX = 256
const CHECK_MS = 500
/** Nobody may take longer for one part, or for the body. */
const PART_MS_MAX = 10_000
const BODY_MS_MAX = 60_000
/** While others wait for room: after so long, with fewer bytes a second. */
const GRACE_MS = 2_000
const BYTES_PER_S_MIN = 64 << 10

/** Name of the variable in which a route or the cache leaves the bytes of its answer. */
export const ANSWER_BYTES = 'answer_bytes'
/** And here that nobody else has them. */
export const OWN_BYTES = 'own_bytes'

export function sendBodies(
  gate: MemoryGate,
  open: OpenBody | undefined,
  now_ms: () => number,
): MiddlewareHandler {
  let reader_count = 0
  return async (c, next) => {
    await next()
    const body = await bytesOf(c)
    if (body === undefined) return
    const context = contextOf(c)
    const is_small = c.res.body === null || body.byteLength <= PART_BYTES
    if (is_small || c.req.method === 'HEAD' || open === undefined || context === undefined) {
      return gate.drop(body)
    }
    if (reader_count >= READERS_MAX) throw busy()
    gate.admit(body)
    gate.addReader(body)
    reader_count += 1
    const { readable, writable } = open(body.byteLength)
    const sending = send(body, writable.getWriter(), gate, now_ms).finally(() => {
      reader_count -= 1
      if (c.get(OWN_BYTES) === true) release(body)
    })
    context.waitUntil(sending)
    const { status, headers } = c.res
    c.res = undefined
    c.res = new Response(readable, { status, headers })
  }
}

/** Undefined where the app asks itself, as for the tools of /mcp. */
function contextOf(c: Context): Context['executionCtx'] | undefined {
  try {
    return c.executionCtx
  } catch {
    return undefined
  }
}

/** Undefined where nothing was made. */
async function bytesOf(c: Context): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const made = c.get(ANSWER_BYTES) as Uint8Array<ArrayBuffer> | undefined
  if (made !== undefined || c.res.body === null) return made
  const body = new Uint8Array(await c.res.arrayBuffer())
  const { status, headers } = c.res
  c.res = undefined
  c.res = new Response(bodyOf(body), { status, headers })
  return body
}

async function send(
  body: Uint8Array,
  writer: WritableStreamDefaultWriter<Uint8Array>,
  gate: MemoryGate,
  now_ms: () => number,
): Promise<void> {
  const begun_at = now_ms()
  let [taken, part_at] = [0, begun_at]
  const isTooSlow = (): boolean => {
    const [age_ms, part_ms] = [now_ms() - begun_at, now_ms() - part_at]
    if (part_ms > PART_MS_MAX || age_ms > BODY_MS_MAX) return true
    const is_slow = age_ms > GRACE_MS && taken < (age_ms / 1_000) * BYTES_PER_S_MIN
    return is_slow && gate.isWanted()
  }
  const { promise: cut_off, reject: cutOff } = Promise.withResolvers<never>()
  cut_off.catch(() => undefined)
  const check = setInterval(() => {
    if (isTooSlow()) cutOff(new Error('The reader is too slow.'))
  }, CHECK_MS)
  try {
    for (; taken < body.byteLength; taken += PART_BYTES) {
      // A copy: what is written belongs to the stream.
      await Promise.race([writer.write(body.slice(taken, taken + PART_BYTES)), cut_off])
      part_at = now_ms()
      gate.renew(body)
    }
    await writer.close()
  } catch (error) {
    // The caller went away, or is disconnected now; nobody waits until the stream knows.
    writer.abort(error).catch(() => undefined)
  } finally {
    clearInterval(check)
    gate.removeReader(body)
  }
}
