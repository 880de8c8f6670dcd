/** Dataset files on disk, for Node, Deno and Bun. A repeated call continues a broken download. */
import { createReadStream } from 'node:fs'
import { open, rename, stat } from 'node:fs/promises'
import type { Client } from './client.ts'
import type { DownloadFile, DownloadOptions } from './download.ts'

/**
 * Writes the file to `path`, once it is whole and its SHA-256 is right; until then its bytes are in
 * `path`.part. Throws an ApiError; if the bytes of an earlier try are wrong, remove the part file.
 */
export async function downloadTo(
  client: Client,
  path: string,
  options: Omit<DownloadOptions, 'have' | 'onFile'>,
): Promise<DownloadFile> {
  const part_path = `${path}.part`
  const has_part = await stat(part_path).then(
    () => true,
    () => false,
  )
  let file: DownloadFile | undefined
  const have = has_part ? (createReadStream(part_path) as AsyncIterable<Uint8Array>) : []
  const parts = client.download({ ...options, have, onFile: (found) => (file = found) })
  const target = await open(part_path, 'a')
  try {
    for await (const part of parts) await target.writeFile(part)
    await target.sync()
  } finally {
    await target.close()
  }
  await rename(part_path, path)
  return file!
}
