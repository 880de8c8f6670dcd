/** Strong entity tags: the same bytes of the same version, the same tag. */

export async function entityTag(version: string, body: Uint8Array<ArrayBuffer>): Promise<string> {
  const head = new TextEncoder().encode(`${version}\n`)
  const bytes = new Uint8Array(head.byteLength + body.byteLength)
  bytes.set(head)
  bytes.set(body, head.byteLength)
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  const hex = [...digest.subarray(0, 16)].map((byte) => byte.toString(16).padStart(2, '0'))
  return `"${hex.join('')}"`
}

/** Whether If-None-Match names the tag; tags are compared weakly there (RFC 9110, 13.1.2). */
export function namesTag(if_none_match: string | null | undefined, tag: string): boolean {
  if (if_none_match === null || if_none_match === undefined) return false
  return if_none_match
    .split(',')
    .map((text) => text.trim().replace(/^W\//, ''))
    .some((text) => text === '*' || text === tag)
}
