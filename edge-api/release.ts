/**
 * Gives the memory of bytes back at once, where nobody needs them any more. It is outside the heap
 * of JavaScript, so a collector that looks at that heap lets tens of megabytes of it lie.
 */

/** Smaller ones are parts of others' memory in Node, and the collector's business. */
const BYTES_MIN = 64 << 10

/** Only for bytes that have a buffer of their own; parts of a larger one are left alone. */
export function release({ buffer, byteLength }: ArrayBufferView): void {
  if (byteLength < BYTES_MIN || byteLength !== buffer.byteLength) return
  if (buffer instanceof ArrayBuffer) buffer.transfer(0)
}
