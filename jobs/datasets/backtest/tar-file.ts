/** A tar archive of files on disk, as POSIX ustar. No times or owners: equal files, equal bytes. */
import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'

export interface TarEntry {
  /** Path in the archive, with slashes. */
  readonly name: string
  /** Path on disk. */
  readonly path: string
}

const BLOCK = 512
/** Eleven octal digits. */
const SIZE_MAX = 8 ** 11

export async function writeTar(path: string, entries: readonly TarEntry[]): Promise<void> {
  const file = await open(path, 'w')
  try {
    for (const entry of entries) {
      const { size } = await stat(entry.path)
      await file.writeFile(headerOf(entry.name, size))
      for await (const chunk of createReadStream(entry.path)) await file.writeFile(chunk as Buffer)
      await file.writeFile(Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK))
    }
    await file.writeFile(Buffer.alloc(2 * BLOCK))
  } finally {
    await file.close()
  }
}

function headerOf(name: string, size: number): Buffer {
  if (size >= SIZE_MAX)
    throw new Error(`${name} has ${size} bytes, more than a tar entry can have.`)
  const header = Buffer.alloc(BLOCK)
  const slash = name.length > 100 ? name.indexOf('/', name.length - 101) : -1
  header.write(name.slice(slash + 1), 0, 100, 'utf8')
  header.write('0000644\0', 100)
  header.write('0000000\0', 108)
  header.write('0000000\0', 116)
  header.write(`${size.toString(8).padStart(11, '0')}\0`, 124)
  header.write('00000000000\0', 136)
  header.write('        ', 148)
  header.write('0', 156)
  header.write('ustar\u000000', 257)
  if (slash > 0) header.write(name.slice(0, slash), 345, 155, 'utf8')
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return header
}
