/**
 * A file of a dataset: its bytes as they come, checked against the manifest's SHA-256. If the
 * connection breaks, it continues with the next byte, with a new signed URL if the old one expired.
 */
import { ApiError } from './api-error.ts'
import type { DatasetDate, DatasetDates } from './api.ts'
import type { GetOptions, Send } from './request.ts'
import { Sha256 } from './sha256.ts'

export interface DownloadOptions {
  /** Such as features_1s. */
  readonly dataset: string
  /** YYYY-MM-DD, or the newest complete day. */
  readonly date: string | 'yesterday'
  readonly format: 'parquet' | 'arrow'
  /** Bytes that an earlier download received: it continues after them. */
  readonly have?: AsyncIterable<Uint8Array> | Iterable<Uint8Array>
  readonly signal?: AbortSignal
  /** Called once, before the first byte. */
  readonly onFile?: (file: DownloadFile) => void
}

export interface DownloadFile {
  readonly name: string
  readonly date: string
  readonly bytes: number
  /** In hexadecimal. */
  readonly sha256: string
}

interface Asking {
  /** Path of the API. */
  readonly ask: (path: string, options: GetOptions) => Promise<Response>
  /** Any URL. */
  readonly send: Send
}

/** Connections that may break without a byte, one after the other. */
const FAILURES_MAX = 5

export async function* downloadFile(
  { ask, send }: Asking,
  wanted: DownloadOptions,
): AsyncGenerator<Uint8Array, void, void> {
  const { dataset, format, have = [], signal, onFile } = wanted
  const read = async <Body>(path: string): Promise<Body> =>
    (await (await ask(path, { signal })).json()) as Body
  const list = `/v1/datasets/${encodeURIComponent(dataset)}`
  const date =
    wanted.date === 'yesterday' ? (await read<DatasetDates>(list)).latest_date : wanted.date
  if (date === null) throw new ApiError(404, 'no_dataset', `${dataset} has no complete day.`)
  const find = async (): Promise<DownloadFile & { readonly url: string }> => {
    const { files } = await read<DatasetDate>(`${list}/${encodeURIComponent(date)}`)
    const file = files.find((one) => one.format === format)
    if (file !== undefined) return { ...file, date }
    throw new ApiError(404, 'no_file', `${dataset} of ${date} has no ${format} file.`)
  }

  let file = await find()
  const { sha256, bytes } = file
  onFile?.({ name: file.name, date, bytes, sha256 })
  const hash = new Sha256()
  let received = 0
  for await (const part of have) {
    hash.add(part)
    received += part.byteLength
  }
  let failures = 0
  while (received < bytes) {
    try {
      const response = await send(file.url, { signal, headers: { range: `bytes=${received}-` } })
      requireRange(response, received)
      for await (const part of partsOf(response)) {
        failures = 0
        received += part.byteLength
        hash.add(part)
        yield part
      }
    } catch (error) {
      signal?.throwIfAborted()
      const is_expired = error instanceof ApiError && error.status === 403
      const is_final = error instanceof ApiError && error.status !== 0 && !is_expired
      if (is_final || ++failures > FAILURES_MAX) throw error
    }
    if (received < bytes) file = await find()
    if (file.sha256 !== sha256) {
      throw new ApiError(0, 'file_changed', `${file.name} of ${date} was replaced. Start again.`)
    }
  }
  if (received === bytes && hash.hex() === sha256) return
  throw new ApiError(0, 'wrong_sha256', `The bytes are not those of ${file.name} of ${date}.`)
}

/** A store that ignores Range would begin again with the first byte. */
function requireRange({ status, headers }: Response, from: number): void {
  const begin = /^bytes (\d+)-/.exec(headers.get('content-range') ?? '')?.[1]
  if (status === 206 ? Number(begin) === from : from === 0) return
  throw new ApiError(status, 'no_ranges', 'The store does not send a part of a file.')
}

async function* partsOf({ body }: Response): AsyncGenerator<Uint8Array, void, void> {
  if (body === null) return
  const reader = body.getReader()
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) yield part.value
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}
