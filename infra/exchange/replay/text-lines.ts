/**
 * Reads the lines of a text file, plain or gzip (detected by the first two bytes). Memory is
 * bounded by the maximum line length. recording.ts interprets the lines.
 */
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { OperatorError } from '#core/errors.ts'

export interface TextLine {
  /** Starts at 1 and counts blank lines, as in an editor. */
  readonly number: number
  readonly text: string
}

/** Twice a full-depth snapshot of the deepest known book. */
const LINE_BYTES_MAX = 16 * 1024 * 1024
const LINE_FEED = 0x0a

/**
 * The non-blank lines in order, in one batch per chunk of the file: one promise per line would be a
 * third of the work. Callers must consume each batch before they request the next. Throws an
 * OperatorError if the file cannot be read, its gzip data is truncated or damaged, or a line is too
 * long or not UTF-8.
 */
export async function* readTextLines(path: string): AsyncGenerator<Iterable<TextLine>> {
  const splitter = new LineSplitter(path)
  try {
    for await (const chunk of await openText(path)) yield splitter.take(chunk)
  } catch (error) {
    throw explain(error, path, splitter.line_count)
  }
  yield splitter.end()
}

class LineSplitter {
  readonly #path: string
  readonly #decoder = new TextDecoder('utf-8', { fatal: true })
  #pending: Buffer[] = []
  #pending_bytes = 0
  #line_count = 0

  constructor(path: string) {
    this.#path = path
  }

  /** Complete lines read. */
  get line_count(): number {
    return this.#line_count
  }

  *take(chunk: Buffer): Iterable<TextLine> {
    let start = 0
    for (let end; (end = chunk.indexOf(LINE_FEED, start)) !== -1; start = end + 1) {
      yield* this.#finish(chunk.subarray(start, end))
    }
    if (start === chunk.length) return
    this.#pending.push(chunk.subarray(start))
    this.#pending_bytes += chunk.length - start
    if (this.#pending_bytes > LINE_BYTES_MAX) {
      throw new OperatorError(
        'recording_line_too_long',
        `${this.#path}, line ${this.#line_count + 1}: longer than ${LINE_BYTES_MAX} bytes.`,
        { hint: 'A recording has one JSON object per line.' },
      )
    }
  }

  /** The last line, if no line feed ends it. */
  *end(): Iterable<TextLine> {
    if (this.#pending_bytes > 0) yield* this.#finish(Buffer.alloc(0))
  }

  #finish(end: Buffer): readonly TextLine[] {
    this.#line_count += 1
    const number = this.#line_count
    const bytes = this.#pending_bytes === 0 ? end : Buffer.concat([...this.#pending, end])
    this.#pending = []
    this.#pending_bytes = 0
    let text: string
    try {
      text = this.#decoder.decode(bytes)
    } catch (cause) {
      const message = `${this.#path}, line ${number}: not UTF-8 text.`
      throw new OperatorError('recording_not_text', message, { cause })
    }
    return text.trim() === '' ? [] : [{ number, text }]
  }
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
  // Errors of either stream reach the reader of the second one; the callback is mandatory.
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
      `${path}: the gzip data is truncated after line ${line_count}.`,
      { hint: 'The file is incomplete; fetch it again.', cause: error },
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
    ENOENT: 'The file does not exist.',
    EISDIR: 'This is a folder, not a file.',
    EACCES: 'This user cannot read the file.',
  }
  return new OperatorError('recording_unreadable', `${path}: ${reasons[code] ?? error.message}`, {
    hint: 'Give the path of a recording (NDJSON, plain or gzip).',
    cause: error,
  })
}
