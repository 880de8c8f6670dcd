/** Strong entity tags: the same version and the same bytes give the same tag. */

/** A digest is an asynchronous call, which costs more than a small answer's other work. */
const SMALL_BYTES = 4_096

export async function entityTag(version: string, body: Uint8Array<ArrayBuffer>): Promise<string> {
  const of_version = encoder.encode(version)
  if (body.byteLength <= SMALL_BYTES) return `"${mixed(of_version)}${mixed(body)}"`
  // Hashed separately: joining them would copy the body, which can be megabytes.
  const digest = await crypto.subtle.digest('SHA-256', body)
  return `"${mixed(of_version)}${hexOf(digest).slice(0, 32)}"`
}

const encoder = new TextEncoder()

/** 64 bits of the bytes and their number: two lanes of MurmurHash3's mixing steps. */
function mixed(bytes: Uint8Array): string {
  let [a, b] = [bytes.length, ~bytes.length]
  for (const byte of bytes) {
    a = Math.imul(a ^ byte, 0xcc9e2d51)
    a = (a << 15) | (a >>> 17)
    b = Math.imul(b ^ byte, 0x1b873593)
    b = ((b << 13) | (b >>> 19)) + 0x52dce729
  }
  return [a, b].map((lane) => (finished(lane) >>> 0).toString(16).padStart(8, '0')).join('')
}

function finished(lane: number): number {
  let bits = Math.imul(lane ^ (lane >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return bits ^ (bits >>> 16)
}

function hexOf(digest: ArrayBuffer): string {
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Whether If-None-Match contains the tag, by weak comparison (RFC 9110, 13.1.2). */
export function namesTag(if_none_match: string | null | undefined, tag: string): boolean {
  if (if_none_match === null || if_none_match === undefined) return false
  return if_none_match
    .split(',')
    .map((text) => text.trim().replace(/^W\//, ''))
    .some((text) => text === '*' || text === tag)
}
