/** Revoked tokens from a file with one id per line, to which the command line appends. */
import { readFile, stat } from 'node:fs/promises'
import type { RevokedTokens } from '../access/bindings.ts'

/** A file that does not exist lists none. Any other error is thrown: then no token is accepted. */
export function createRevokedFile(path: string): RevokedTokens {
  let known: { readonly version: string; readonly ids: ReadonlySet<string> } | undefined
  const read = async (): Promise<ReadonlySet<string>> => {
    try {
      const { mtimeMs, size } = await stat(path)
      const version = `${mtimeMs} ${size}`
      if (known?.version !== version) {
        known = { version, ids: new Set((await readFile(path, 'utf8')).split('\n')) }
      }
      return known.ids
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Set()
      throw error
    }
  }
  return { get: async (token_id) => ((await read()).has(token_id) ? 'revoked' : null) }
}
