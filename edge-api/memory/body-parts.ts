/**
 * Sends large bodies as streams of parts. A Response made from bytes holds them until the garbage
 * collector runs, and the collector does not know how large they are, so they would stay in memory.
 */

export const PART_BYTES = 32 << 10

/** A body for a Response: the bytes themselves if they are few, else a stream of copied parts. */
export function bodyOf(
  bytes: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> {
  if (bytes.byteLength <= PART_BYTES) return bytes
  let at = 0
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        controller.enqueue(bytes.slice(at, at + PART_BYTES))
        at += PART_BYTES
        if (at >= bytes.byteLength) controller.close()
      },
    },
    { highWaterMark: 0 },
  )
}
