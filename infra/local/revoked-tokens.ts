/**
 * Tokens of a local stack that were taken back: a file of ids, one a line, that the command line
 * appends to and the worker's process copies into its KV namespace.
 */
import { appendFileSync, readFileSync, unwatchFile, watchFile } from 'node:fs'

const LOOK_EVERY_MS = 500

export function appendRevoked(file: string, token_id: string): void {
  appendFileSync(file, `${token_id}\n`, { mode: 0o600 })
}

/** Hands over what is in the file now, and then every id that comes. */
export async function followRevoked(
  file: string,
  revoke: (token_id: string) => Promise<void>,
  onError: (error: unknown) => void,
): Promise<{ stop(): void }> {
  const known = new Set<string>()
  const handOver = async (): Promise<void> => {
    for (const id of readIds(file)) {
      if (known.has(id)) continue
      await revoke(id)
      known.add(id)
    }
  }
  const onChange = (): void => void handOver().catch(onError)
  // Watched first: what is appended meanwhile is seen.
  watchFile(file, { interval: LOOK_EVERY_MS }, onChange)
  await handOver()
  return { stop: () => unwatchFile(file, onChange) }
}

function readIds(file: string): readonly string[] {
  try {
    return readFileSync(file, 'utf8').split('\n').filter((line) => line !== '')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
