/**
 * Frees the memory of byte buffers as soon as nobody needs them. It is outside the JavaScript heap,
 * so the garbage collector underestimates it and would leave tens of megabytes allocated.
 */

/** Smaller buffers are left to the garbage collector. In Node they are parts of a pool. */
const BYTES_MIN = 4 << 10

/** Frees the bytes if they are the whole of their buffer; does nothing otherwise. */
export function release({ buffer, byteLength }: ArrayBufferView): void {
  if (byteLength < BYTES_MIN || byteLength !== buffer.byteLength) return
  if (buffer instanceof ArrayBuffer) buffer.transfer(0)
}

/** Frees the whole buffers of these views. No other view of these buffers may be in use. */
export function releaseWhole(views: Iterable<unknown>): void {
  for (const view of views) {
    if (!(view instanceof Float64Array)) continue
    const { buffer } = view
    if (buffer instanceof ArrayBuffer && buffer.byteLength >= BYTES_MIN) buffer.transfer(0)
  }
}
