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
    throw asDamaged(path, cause)
  }
}

/** The name of a zip's only CSV file. Errors: `import_damaged`. */
export async function entryName(path: string): Promise<string> {
  try {
    const zip = await openZip(path)
    try {
      return (await onlyEntry(zip, path)).fileName
    } finally {
      zip.close()
    }
  } catch (cause) {
    throw asDamaged(path, cause)
  }
}

async function* readGzip(path: string): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES })
  // The error surfaces below, where the text is read.
  pipeline(createReadStream(path), gunzip, () => undefined)
  yield* gunzip
}

async function* readZip(path: string): AsyncGenerator<Uint8Array> {
  const zip = await openZip(path)
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

function openZip(path: string): Promise<yauzl.ZipFile> {
  const open = promisify<string, yauzl.Options, yauzl.ZipFile>(yauzl.open)
  return open(path, { lazyEntries: true, autoClose: false })
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

function asDamaged(path: string, cause: unknown): OperatorError {
  if (cause instanceof OperatorError) return cause
  return damaged(path, cause instanceof Error ? cause.message : String(cause))
}

function damaged(path: string, found: string): OperatorError {
  return new OperatorError('import_damaged', `${path} cannot be read: ${found}.`, {
    hint: 'Nothing of it was stored. Fetch it again.',
  })
}
