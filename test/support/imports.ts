/** The imports of the project's files, parsed from their text. Paths are relative to the root. */
import { readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'

export const ROOT = resolve(import.meta.dirname, '../..')

export interface Import {
  readonly specifier: string
  /** A type-only import, which disappears when types are stripped. */
  readonly is_type: boolean
  /** The imported file of the project; undefined for packages and Node's own modules. */
  readonly target: string | undefined
}

const STATIC = /^(?:import|export)\b( type\b)?[^'"`;=]*?from '([^']+)'|^import '([^']+)'/gm
/** Dynamic imports, and entry files of workers and processes. */
const DYNAMIC = /\bimport\(\s*['"]([^'"]+)['"]|new URL\('([^']+\.ts)'/g

const known = new Map<string, readonly Import[]>()

export function importsOf(file: string): readonly Import[] {
  let imports = known.get(file)
  if (imports === undefined) {
    const text = readFileSync(join(ROOT, file), 'utf8')
    imports = [
      ...[...text.matchAll(STATIC)].map((match) => ({
        specifier: match[2] ?? match[3]!,
        is_type: match[1] !== undefined,
      })),
      ...[...text.matchAll(DYNAMIC)].map((match) => ({
        specifier: match[1] ?? relativeOf(match[2]!),
        is_type: false,
      })),
    ].map((found) => ({ ...found, target: targetOf(file, found.specifier) }))
    known.set(file, imports)
  }
  return imports
}

/** A URL without a leading dot names a file beside this one, unlike an import. */
function relativeOf(url: string): string {
  return url.startsWith('.') ? url : `./${url}`
}

function targetOf(file: string, specifier: string): string | undefined {
  if (specifier.startsWith('#core/')) return specifier.replace('#core/', 'core/')
  if (specifier.startsWith('.')) return relative(ROOT, resolve(ROOT, file, '..', specifier))
  return undefined
}
