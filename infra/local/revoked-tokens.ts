/**
 * Revoked tokens of a local stack: a file with one id per line. The command line appends to it, and
 * the worker reads it (workerd/entry.ts).
 */
import { appendFileSync } from 'node:fs'

export function appendRevoked(file: string, token_id: string): void {
  appendFileSync(file, `${token_id}\n`, { mode: 0o600 })
}
