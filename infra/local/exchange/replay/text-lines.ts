/**
 * Lines of a text file, plain or gzip, told apart by the first two bytes. Memory is bounded by
 * the longest line allowed. What the lines mean is recording.ts's business.
 */
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { OperatorError } from '#core/errors.ts'

export interface TextLine {
  /** Counted from 1, blank lines included, as an editor shows it. */
  readonly number: number
  readonly text: string
}

/** Two full-depth snapshots of the deepest books known fit in this. */
const LINE_BYTES_MAX = 16 * 1024 * 1024
const LINE_FEED = 0x0a

/**
 * The non-blank lines in order. Throws an OperatorError where the file cannot be read, its gzip
 * data is cut short or damaged, or a line is too long or not UTF-8.
 */
export async function* readTextLines(path: string): AsyncGenerator<TextLine> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const pending: Buffer[] = []
  let pending_bytes = 0
  let number = 0
  const take = (end: Buffer): TextLine | undefined => {
    number += 1
    const bytes = pending.length === 0 ? end : Buffer.concat([...pending, end])
    pending.length = 0
    pending_bytes = 0
    let text: string
    try {
      text = decoder.decode(bytes)
    } catch (cause) {
      throw new OperatorError('recording_not_text', `${path}, line ${number}: not UTF-8 text.`, {
        cause,
      })
    }
    return text.trim() === '' ? undefined : { number, text }
  }
  try {
    for await (const chunk of await openText(path)) {
      let start = 0
      for (let end; (end = chunk.indexOf(LINE_FEED, start)) !== -1; start = end + 1) {
        const line = take(chunk.subarray(start, end))
        if (line !== undefined) yield line
      }
      if (start === chunk.length) continue
      pending.push(chunk.subarray(start))
      pending_bytes += chunk.length - start
      if (pending_bytes > LINE_BYTES_MAX) {
        throw new OperatorError(
          'recording_line_too_long',
          `${path}, line ${number + 1}: longer than ${LINE_BYTES_MAX} bytes.`,
          { hint: 'A recording holds one JSON object a line.' },
        )
      }
    }
  } catch (error) {
    throw explain(error, path, number)
  }
  const last = pending_bytes > 0 ? take(Buffer.alloc(0)) : undefined
  if (last !== undefined) yield last
}

async function openText(path: string): Promise<AsyncIterable<Buffer>> {
  const start = Buffer.alloc(2)
  const file = await open(path)
  try {
    await file.read(start, 0, 2, 0)
  } finally {
    await file.close()
  }
  const source = createReadStream(path, { highWaterMark: 256 * 1024 })
  if (start[0] !== 0x1f || start[1] !== 0x8b) return source
  // Errors of either stream reach the reader of the second; the callback only has to exist.
  return pipeline(source, createGunzip({ chunkSize: 256 * 1024 }), () => undefined)
}

function explain(error: unknown, path: string, line_count: number): unknown {
  if (error instanceof OperatorError || !(error instanceof Error) || !('code' in error)) {
    return error
  }
  const code = String(error.code)
  if (code === 'Z_BUF_ERROR') {
    return new OperatorError(
      'recording_truncated',
      `${path}: the gzip data ends in the middle, after line ${line_count}.`,
      { hint: 'The file was not copied or written to its end; fetch it again.', cause: error },
    )
  }
  if (code.startsWith('Z_')) {
    return new OperatorError(
      'recording_damaged',
      `${path}: the gzip data is damaged after line ${line_count}.`,
      { hint: 'Fetch the file again.', cause: error },
    )
  }
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: 'There is no such file.',
    EISDIR: 'This is a folder, not a file.',
    EACCES: 'The file may not be read by this user.',
  }
  return new OperatorError('recording_unreadable', `${path}: ${reasons[code] ?? error.message}`, {
    hint: 'Name a recording: NDJSON, plain or gzip.',
    cause: error,
  })
}
