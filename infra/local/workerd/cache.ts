/**
 * The cache of the edge location, for a workerd of its own: runs in workerd as the service behind
 * the Cache API, and keeps answers in memory until their max-age is over or the memory is full.
 *
 * The Cache API asks with GET and stores with PUT, whose body is a whole HTTP response. Its body is
 * never in chunks, whatever its Transfer-Encoding says.
 */

interface Entry {
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Uint8Array<ArrayBuffer>
  /** Milliseconds. */
  readonly until: number
}

const BYTES_MAX = 32 << 20
/** Memory of an entry besides its body. */
const ENTRY_BYTES = 1_000
/** Between the head of a response and its body. */
const END_OF_HEAD = [13, 10, 13, 10] as const
const STATUS = 'cf-cache-status'

const entries = new Map<string, Entry>()
let byte_count = 0

export default {
  async fetch(request: Request): Promise<Response> {
    const key = request.url
    if (request.method === 'PUT') return put(key, new Uint8Array(await request.arrayBuffer()))
    const entry = entries.get(key)
    if (entry !== undefined && entry.until <= Date.now()) remove(key)
    else if (entry !== undefined) {
      return new Response(entry.body, { headers: [...toPairs(entry), [STATUS, 'HIT']] })
    }
    return new Response(null, { status: 504, headers: { [STATUS]: 'MISS' } })
  },
}

function put(key: string, message: Uint8Array<ArrayBuffer>): Response {
  const at = endOfHead(message)
  const [, ...lines] = new TextDecoder().decode(message.subarray(0, at)).split('\r\n')
  const headers = lines.flatMap((line): [string, string][] => {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    return colon < 0 || name === 'transfer-encoding' ? [] : [[name, line.slice(colon + 1).trim()]]
  })
  const control = headers.find(([name]) => name === 'cache-control')?.[1] ?? ''
  const fresh_s = Number(/(?:^|[ ,])max-age=(\d+)/.exec(control)?.[1] ?? 0)
  const body = message.slice(at + END_OF_HEAD.length)
  remove(key)
  if (fresh_s > 0 && body.byteLength <= BYTES_MAX / 4) {
    entries.set(key, { headers, body, until: Date.now() + fresh_s * 1_000 })
    byte_count += body.byteLength + ENTRY_BYTES
  }
  for (const oldest of entries.keys()) {
    if (byte_count <= BYTES_MAX) break
    remove(oldest)
  }
  return new Response(null, { status: 204 })
}

function remove(key: string): void {
  const entry = entries.get(key)
  if (entry === undefined) return
  entries.delete(key)
  byte_count -= entry.body.byteLength + ENTRY_BYTES
}

function toPairs({ headers }: Entry): [string, string][] {
  return headers.map(([name, value]) => [name, value])
}

/** Where the first empty line begins. */
function endOfHead(message: Uint8Array): number {
  for (let at = message.indexOf(13); at >= 0; at = message.indexOf(13, at + 1)) {
    if (END_OF_HEAD.every((byte, i) => message[at + i] === byte)) return at
  }
  return message.byteLength
}
