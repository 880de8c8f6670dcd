/** The text in a file: plain, gzip, or the only CSV file of a zip, whose CRC-32 must fit. */
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream'
import { crc32, createGunzip } from 'node:zlib'
import { promisify } from 'node:util'
import yauzl from 'yauzl'
import { OperatorError } from '#core/errors.ts'

const CHUNK_BYTES = 256 * 1024

/** Errors: `import_damaged` if the file is cut short or is not what its name says. */
export async function* readContent(path: string): AsyncGenerator<Uint8Array> {
  try {
    if (path.endsWith('.zip')) yield* readZip(path)
    else if (path.endsWith('.gz')) yield* readGzip(path)
    else yield* createReadStream(path, { highWaterMark: CHUNK_BYTES })
  } catch (cause) {
    if (cause instanceof OperatorError) throw cause
    throw damaged(path, cause instanceof Error ? cause.message : String(cause))
  }
}

async function* readGzip(path: string): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES })
  // The error surfaces below, where the text is read.
  pipeline(createReadStream(path), gunzip, () => undefined)
  yield* gunzip
}

async function* readZip(path: string): AsyncGenerator<Uint8Array> {
  const open = promisify<string, yauzl.Options, yauzl.ZipFile>(yauzl.open)
  const zip = await open(path, { lazyEntries: true, autoClose: false })
  try {
    const entry = await onlyEntry(zip, path)
    const openStream = promisify(zip.openReadStream.bind(zip) as OpenStream)
    let sum = 0
    for await (const chunk of await openStream(entry)) {
      sum = crc32(chunk as Uint8Array, sum)
      yield chunk as Uint8Array
    }
    if (sum !== entry.crc32) throw damaged(path, 'its CRC-32 is another one')
  } finally {
    zip.close()
  }
}

type OpenStream = (
  entry: yauzl.Entry,
  done: (error: Error | null, stream: NodeJS.ReadableStream) => void,
) => void

function onlyEntry(zip: yauzl.ZipFile, path: string): Promise<yauzl.Entry> {
  return new Promise((resolve, reject) => {
    const found: yauzl.Entry[] = []
    zip.on('error', reject)
    zip.on('entry', (entry: yauzl.Entry) => {
      if (entry.fileName.endsWith('.csv')) found.push(entry)
      zip.readEntry()
    })
    zip.on('end', () => {
      if (found.length === 1) resolve(found[0]!)
      else reject(damaged(path, `it has ${found.length} CSV files`))
    })
    zip.readEntry()
  })
}

function damaged(path: string, found: string): OperatorError {
  return new OperatorError('import_damaged', `${path} cannot be read: ${found}.`, {
    hint: 'Nothing of it was stored. Fetch it again.',
  })
}
