/** Strong entity tags: the same version and the same bytes give the same tag. */

export async function entityTag(version: string, body: Uint8Array<ArrayBuffer>): Promise<string> {
  // Hashed separately: joining them would copy the body, which can be megabytes.
  const of_body = hexOf(await crypto.subtle.digest('SHA-256', body))
  const both = new TextEncoder().encode(`${version}\n${of_body}`)
  return `"${hexOf(await crypto.subtle.digest('SHA-256', both)).slice(0, 32)}"`
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
