/**
 * One digest of the code that computes and encodes a day. Hours kept by other code are not reused.
 * It covers too many files rather than too few; hashing all of them takes a few milliseconds.
 */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const FOLDERS = ['core', 'jobs']

/** Sha256, hexadecimal. */
export async function digestCode(): Promise<string> {
  // package.json pins the libraries; the compression libraries come with the runtime.
  const hash = createHash('sha256').update(JSON.stringify(process.versions))
  hash.update(await readFile(join(ROOT, 'package.json')))
  for (const folder of FOLDERS) {
    const names = await readdir(join(ROOT, folder), { recursive: true })
    for (const name of names.filter((one) => one.endsWith('.ts')).toSorted()) {
      hash.update(`\n${folder}/${name}\n`).update(await readFile(join(ROOT, folder, name)))
    }
  }
  return hash.digest('hex')
}
