/**
 * Files of a server, which is asked one request at a time with a pause before each. A busy server
 * is asked again when it says so. A download that breaks off goes on where it ended.
 */
import { createWriteStream } from 'node:fs'
import { rm, stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { OperatorError } from '#core/errors.ts'
import { type Origin, sumOf } from './origin.ts'

export interface ServerOptions {
  readonly url: string
  /** Sent as a bearer token. */
  readonly token: string | undefined
  readonly has_checksums: boolean
  /** Before each request [ms]. */
  readonly pause_ms: number
  /** A download without a byte for this long is broken off and continued [ms]. */
  readonly silence_ms?: number
  /** First wait after an error without Retry-After; doubles each time [ms]. */
  readonly retry_ms?: number
  readonly signal: AbortSignal
}

/** Attempts without any progress. */
const TRIES = 5
const WAIT_MS_MAX = 300_000
const SILENCE_MS = 60_000
const RETRY_MS = 2_000

export function createServerOrigin(options: ServerOptions): Origin {
  const { has_checksums } = options
  return {
    async find({ path }) {
      const response = await ask(options, path, 'HEAD', {})
      if (response === undefined) return undefined
      const length = response.headers.get('content-length')
      return { byte_count: length === null ? undefined : Number(length) }
    },
    async checksum(file) {
      if (!has_checksums) return undefined
      const response = await ask(options, `${file.path}.CHECKSUM`, 'GET', {})
      return response === undefined ? undefined : sumOf(file, await response.text())
    },
    get: ({ path }, part, stated, onBytes) => download(options, path, part, stated, onBytes),
  }
}

async function download(
  options: ServerOptions,
  path: string,
  part: string,
  stated: string | undefined,
  onBytes: (count: number) => void,
): Promise<string> {
  const { signal } = options
  // Without a checksum, nothing says that the part is of the file that the server has now.
  if (stated === undefined) await rm(part, { force: true })
  let etag: string | undefined
  for (let attempt = 1; ;) {
    const have = await sizeOf(part)
    const response = await ask(options, path, 'GET', rangeOf(have, etag))
    if (response === undefined) throw unanswered(path, 'status 404')
    const is_rest = response.status === 206
    if (response.status === 416 || response.body === null) {
      await response.body?.cancel()
      if (have > 0 && have === totalOf(response)) return part
      await rm(part, { force: true })
      if (attempt++ === TRIES) throw unanswered(path, `status ${response.status}`)
      continue
    }
    etag = response.headers.get('etag') ?? undefined
    const length = response.headers.get('content-length')
    const start = is_rest ? have : 0
    const problem = await receive(options, response, part, start, onBytes)
    const now = await sizeOf(part)
    const is_short = length !== null && now < start + Number(length)
    if (problem === undefined && !is_short) return part
    signal.throwIfAborted()
    attempt = now > have ? 1 : attempt + 1
    if (attempt > TRIES) throw unanswered(path, problem ?? 'it ends too early')
    await waitAfter(options, attempt, null)
  }
}

function rangeOf(have: number, etag: string | undefined): Readonly<Record<string, string>> {
  if (have === 0) return {}
  const range = { range: `bytes=${have}-` }
  return etag === undefined ? range : { ...range, 'if-range': etag }
}

/** `bytes *\/1234` of a refused range. */
function totalOf(response: Response): number | undefined {
  const total = /\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1]
  return total === undefined ? undefined : Number(total)
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  )
}

/** Writes the body after the first `start` bytes. Returns what broke it off. */
async function receive(
  { signal, silence_ms = SILENCE_MS }: ServerOptions,
  response: Response,
  part: string,
  start: number,
  onBytes: (count: number) => void,
): Promise<unknown> {
  const silent = new AbortController()
  const giveUp = (): void => silent.abort(new Error(`no byte for ${silence_ms} ms`))
  let timer = setTimeout(giveUp, silence_ms)
  const body = Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0])
  body.on('data', (chunk: Uint8Array) => {
    clearTimeout(timer)
    timer = setTimeout(giveUp, silence_ms)
    onBytes(chunk.length)
  })
  try {
    const file = createWriteStream(part, start === 0 ? { flags: 'w' } : { flags: 'r+', start })
    await pipeline(body, file, { signal: AbortSignal.any([signal, silent.signal]) })
    return undefined
  } catch (error) {
    return silent.signal.aborted ? silent.signal.reason : error
  } finally {
    clearTimeout(timer)
  }
}

/** Undefined: there is no such file. 416 is the caller's. */
async function ask(
  options: ServerOptions,
  path: string,
  method: 'GET' | 'HEAD',
  more: Readonly<Record<string, string>>,
): Promise<Response | undefined> {
  const { url, token, pause_ms, signal } = options
  const headers = {
    'user-agent': 'booktape-import',
    // A part of a compressed answer could not be continued.
    'accept-encoding': 'identity',
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...more,
  }
  for (let attempt = 1; ; attempt++) {
    await sleep(pause_ms, undefined, { signal })
    const response = await fetch(new URL(path, url), { method, headers, signal }).catch(
      (error: unknown) => {
        signal.throwIfAborted()
        if (attempt === TRIES) throw unanswered(path, causeOf(error))
        return undefined
      },
    )
    if (response?.ok === true || response?.status === 416) return response
    await response?.body?.cancel()
    if (response?.status === 404) return undefined
    const is_busy = response === undefined || response.status === 429 || response.status >= 500
    if (!is_busy || attempt === TRIES) throw unanswered(path, `status ${response?.status}`)
    await waitAfter(options, attempt, response?.headers.get('retry-after') ?? null)
  }
}

/** As Retry-After says, in seconds or as a date; else longer each time. */
async function waitAfter(
  { signal, retry_ms = RETRY_MS }: ServerOptions,
  attempt: number,
  retry_after: string | null,
): Promise<void> {
  const own_ms = retry_ms * 2 ** (attempt - 1)
  const asked_ms =
    retry_after === null
      ? own_ms
      : /^\d+$/.test(retry_after)
        ? Number(retry_after) * 1_000
        : Date.parse(retry_after) - Date.now()
  const wait_ms = Number.isFinite(asked_ms) ? Math.max(0, asked_ms) : own_ms
  await sleep(Math.min(wait_ms, WAIT_MS_MAX), undefined, { signal })
}

/** fetch's own message is only "fetch failed". */
function causeOf(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? error.cause : error
}

function unanswered(path: string, cause: unknown): OperatorError {
  const detail = cause instanceof Error ? cause.message : String(cause)
  return new OperatorError('import_download', `${path} cannot be fetched: ${detail}.`, {
    hint: 'Run the import again: files that are done are not fetched again.',
    retryable: true,
  })
}
