/**
 * Large bodies as streams of parts. A Response of bytes refers to them until the collector comes
 * by, which does not know how many there are: released or not, they would stay in memory.
 */

export const PART_BYTES = 32 << 10

/** For a Response: the bytes themselves where they are few, or else a stream of copies of parts. */
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
