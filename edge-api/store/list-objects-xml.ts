/**
 * Parses the answer of S3's ListObjectsV2: only this document, and only the parts that are used.
 * Names in it may contain any escaped character.
 */
export interface ObjectPage {
  readonly keys: readonly string[]
  /** Common prefixes, if the request had a delimiter. */
  readonly folders: readonly string[]
  readonly continuation_token: string | undefined
}

/** Undefined if the text is not a valid ListBucketResult. */
export function parseListObjects(xml: string): ObjectPage | undefined {
  const root = /<ListBucketResult[\s>][^]*<\/ListBucketResult>\s*$/.exec(xml)?.[0]
  if (root === undefined) return undefined
  const truncated = textsOf(root, 'IsTruncated')[0] === 'true'
  const token = textsOf(root, 'NextContinuationToken')[0]
  if (truncated && token === undefined) return undefined
  return {
    keys: elementsOf(root, 'Contents').flatMap((item) => textsOf(item, 'Key').slice(0, 1)),
    folders: elementsOf(root, 'CommonPrefixes').flatMap((item) =>
      textsOf(item, 'Prefix').slice(0, 1),
    ),
    continuation_token: truncated ? token : undefined,
  }
}

function elementsOf(xml: string, name: string): readonly string[] {
  return [...xml.matchAll(new RegExp(`<${name}(?:\\s[^>]*)?>([^]*?)</${name}>`, 'g'))].map(
    (m) => m[1]!,
  )
}

function textsOf(xml: string, name: string): readonly string[] {
  return elementsOf(xml, name).map(unescapeXml)
}

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function unescapeXml(text: string): string {
  return text.replaceAll(
    /&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(amp|lt|gt|quot|apos));/gi,
    (whole, hex, dec, name) => {
      if (name !== undefined) return NAMED[String(name).toLowerCase()]!
      const code = hex === undefined ? Number(dec) : Number.parseInt(String(hex), 16)
      return code <= 0x10_ff_ff ? String.fromCodePoint(code) : String(whole)
    },
  )
}
