/**
 * What computes and encodes a day, as one digest: hours that other code has made are not taken
 * over. Rather too much is in it than too little; all of it takes some milliseconds.
 */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const FOLDERS = ['core', 'jobs']

/** Sha256, hexadecimal. */
export async function digestCode(): Promise<string> {
  // Libraries are pinned in package.json; what compresses comes with the runtime.
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
