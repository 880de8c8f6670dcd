/**
 * Sends a body to its caller in parts, each one after the caller has received the one before. The
 * body counts in the memory gate until the end. A caller that reads too slowly is disconnected; it
 * can tell from the Content-Length that its body is incomplete.
 */
import type { Context, MiddlewareHandler } from 'hono'
import { bodyOf, PART_BYTES } from './body-parts.ts'
import { busy, type MemoryGate } from './memory-gate.ts'
import { release } from './release.ts'

/** Opens a pair of streams for a body of `byte_count` bytes. The writer waits for the reader. */
export type OpenBody = (byte_count: number) => {
  readonly readable: ReadableStream<Uint8Array>
  readonly writable: WritableStream<Uint8Array>
}

/** Concurrent bodies. Each has a part in flight. */
const READERS_MAX = 256
const CHECK_MS = 500
/** A reader may take at most this long for one part, and for the body. */
const PART_MS_MAX = 10_000
const BODY_MS_MAX = 60_000
/** After the grace time a reader must be this fast, if other requests wait for memory. */
const GRACE_MS = 2_000
const BYTES_PER_S_MIN = 64 << 10

/** Context variable in which a route or the cache leaves the bytes of its answer. */
export const ANSWER_BYTES = 'answer_bytes'
/** Context variable that is true if nobody else uses these bytes. */
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
    c.res.headers.set('content-length', String(body.byteLength))
  }
}

/** Undefined if the app called itself, as for the tools of /mcp. */
function contextOf(c: Context): Context['executionCtx'] | undefined {
  try {
    return c.executionCtx
  } catch {
    return undefined
  }
}

/** Undefined if the answer has no body. */
async function bytesOf(c: Context): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const made = c.get(ANSWER_BYTES) as Uint8Array<ArrayBuffer> | undefined
  if (made !== undefined || c.res.body === null) return made
  const body = new Uint8Array(await c.res.arrayBuffer())
  const { status, headers } = c.res
  c.res = undefined
  c.res = new Response(bodyOf(body), { status, headers })
  c.set(ANSWER_BYTES, body)
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
      // Copied, because the stream takes ownership of the bytes.
      await Promise.race([writer.write(body.slice(taken, taken + PART_BYTES)), cut_off])
      part_at = now_ms()
      gate.renew(body)
    }
    await writer.close()
  } catch (error) {
    // The caller disconnected or was too slow. There is no need to wait for the abort.
    writer.abort(error).catch(() => undefined)
  } finally {
    clearInterval(check)
    gate.removeReader(body)
  }
}
