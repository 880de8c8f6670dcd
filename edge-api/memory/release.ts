/**
 * Gives the memory of bytes back at once, where nobody needs them any more. It is outside the heap
 * of JavaScript, so a collector that looks at that heap lets tens of megabytes of it lie.
 */

/** Smaller ones are the collector's business; in Node they are parts of a pool. */
const BYTES_MIN = 4 << 10

/** Only for bytes that have a buffer of their own; parts of a larger one are left alone. */
export function release({ buffer, byteLength }: ArrayBufferView): void {
  if (byteLength < BYTES_MIN || byteLength !== buffer.byteLength) return
  if (buffer instanceof ArrayBuffer) buffer.transfer(0)
}

/** Of everything that these views are parts of: nobody may hold another part. */
export function releaseWhole(views: Iterable<unknown>): void {
  for (const view of views) {
    if (!(view instanceof Float64Array)) continue
    const { buffer } = view
    if (buffer instanceof ArrayBuffer && buffer.byteLength >= BYTES_MIN) buffer.transfer(0)
  }
}
