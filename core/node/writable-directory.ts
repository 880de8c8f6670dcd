/**
 * A directory that a program writes to, checked before the program does anything else: a volume
 * that belongs to another user is the usual mistake of a first start.
 */
import { accessSync, constants, mkdirSync, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { OperatorError } from '../errors.ts'

const { R_OK, W_OK, X_OK } = constants

/**
 * Creates it if it does not exist. `variable` names it to the operator. Throws OperatorError
 * `directory_not_writable`, also if a file in it belongs to another user.
 */
export function requireWritable(dir: string, variable: string): void {
  let path = dir
  try {
    mkdirSync(dir, { recursive: true })
    accessSync(dir, R_OK | W_OK | X_OK)
    for (const entry of readdirSync(dir, { withFileTypes: true })) {
      if (!entry.isFile()) continue
      path = join(dir, entry.name)
      accessSync(path, R_OK | W_OK)
    }
  } catch (cause) {
    throw refusal(dir, variable, path, cause)
  }
}

function refusal(dir: string, variable: string, path: string, cause: unknown): OperatorError {
  const { found, hint } = explain(dir, path, cause)
  const message = `${variable}: ${path} cannot be written: ${found}.`
  return new OperatorError('directory_not_writable', message, {
    hint: `${hint}name another directory in ${variable}.`,
    cause,
  })
}

function explain(
  dir: string,
  path: string,
  cause: unknown,
): { readonly found: string; readonly hint: string } {
  const { code = '' } = cause as NodeJS.ErrnoException
  if (code === 'EROFS') {
    return { found: 'its file system is read-only', hint: 'Mount a volume there, or ' }
  }
  if (code !== 'EACCES' && code !== 'EPERM') return { found: String(cause), hint: 'Repair it, or ' }
  const user = `${process.getuid?.()}:${process.getgid?.()}`
  const blocking = nearestSeen(path)
  const { uid, gid } = statSync(blocking)
  const is_above = blocking !== path
  return {
    found: `${blocking} belongs to ${uid}:${gid}, and this program runs as ${user}`,
    hint:
      (is_above ? `Let this user enter ${blocking}. ` : '') +
      `Run \`chown -R ${user} ${dir}\` as root (of a container: on its volume), or `,
  }
}

/** The path, or the folder above it that hides it. */
function nearestSeen(path: string): string {
  try {
    statSync(path)
    return path
  } catch {
    return nearestSeen(dirname(path))
  }
}
