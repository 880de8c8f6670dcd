/**
 * Revoked tokens of a local stack: a file with one id per line. The command line appends to it, and
 * the worker's process copies the ids into its KV namespace.
 */
import { appendFileSync, readFileSync, unwatchFile, watchFile } from 'node:fs'

const LOOK_EVERY_MS = 500

export function appendRevoked(file: string, token_id: string): void {
  appendFileSync(file, `${token_id}\n`, { mode: 0o600 })
}

/** Calls `revoke` with every id in the file, and then with every id appended later. */
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
  // Watch first, so that no id appended meanwhile is missed.
  watchFile(file, { interval: LOOK_EVERY_MS }, onChange)
  await handOver()
  return { stop: () => unwatchFile(file, onChange) }
}

function readIds(file: string): readonly string[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
