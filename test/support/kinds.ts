/**
 * Finds the pure test files: no module that they load starts a process, a thread or a server. They
 * are the inner loop (`npm run test:fast`) and need neither Postgres nor workerd.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { importsOf, ROOT } from './imports.ts'

/** A test file that loads one of these needs services. */
const SERVICES = new Set([
  '@aws-sdk/client-s3',
  'miniflare',
  'node:child_process',
  'node:http',
  'node:net',
  'node:worker_threads',
  'pg',
  'ws',
])

export function testFiles(): readonly string[] {
  return readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => `test/${name}`)
    .toSorted()
}

/** Only in `npm run test:long`. */
export function isLong(file: string): boolean {
  return file.endsWith('.long.test.ts')
}

/** In `npm run test:long` too, with larger sizes. */
export function hasLongForm(file: string): boolean {
  return importsOf(file).some(({ target }) => target === 'test/support/long.ts')
}

export function isPure(file: string): boolean {
  const seen = new Set([file])
  for (const at of seen) {
    for (const { specifier, is_type, target } of importsOf(at)) {
      if (is_type) continue
      if (SERVICES.has(specifier)) return false
      if (target?.endsWith('.ts')) seen.add(target)
    }
  }
  return true
}
