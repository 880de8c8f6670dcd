/** A production install (`npm ci --omit=dev`) is small and has what the programs import. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { importsOf, ROOT } from '../support/imports.ts'
import { diskBytes, productionPackages } from './packages.ts'

const INSTALL_MB_MAX = 120

/** The programs and the command line; threads and child processes are reached from these. */
const ENTRIES = [
  'ingestor/main.ts',
  'ingestor/live/main.ts',
  'jobs/main.ts',
  'jobs/clusters/main.ts',
  'edge-api/gateway/main.ts',
  'infra/console/main.ts',
  'infra/cli/main.ts',
]
/** Loaded only where esbuild is installed (infra/console/page-files.ts). */
const OF_A_CHECKOUT = ['infra/console/bundle.ts']

const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  readonly dependencies: Readonly<Record<string, string>>
}

/** Every file that the programs load, and the packages that it names. */
function loadedBy(entries: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const loaded = new Map<string, readonly string[]>()
  const files = new Set(entries)
  for (const file of files) {
    if (OF_A_CHECKOUT.includes(file)) continue
    const imports = importsOf(file).filter(({ is_type }) => !is_type)
    for (const { target } of imports) if (target !== undefined) files.add(target)
    const packages = imports.filter(
      ({ specifier, target }) => target === undefined && !specifier.startsWith('node:'),
    )
    loaded.set(
      file,
      packages.map(({ specifier }) => packageOf(specifier)),
    )
  }
  return loaded
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

test('every program and command imports only production dependencies', () => {
  const loaded = loadedBy(ENTRIES)
  expect(loaded.size).toBeGreaterThan(300)
  const missing = [...loaded].flatMap(([file, packages]) =>
    packages
      .filter((name) => !Object.hasOwn(dependencies, name))
      .map((name) => `${file} imports ${name}, which a production install leaves out`),
  )
  expect(missing).toEqual([])
})

test('every production dependency is imported by a program or command', () => {
  const imported = new Set([...loadedBy(ENTRIES).values()].flat())
  expect(Object.keys(dependencies).filter((name) => !imported.has(name))).toEqual([])
})

test(`a production install takes at most ${INSTALL_MB_MAX} MB`, () => {
  const sizes = productionPackages()
    .map(({ path }) => ({ path, mb: diskBytes(join(ROOT, path)) / 1e6 }))
    .toSorted((a, b) => b.mb - a.mb)
  const total_mb = sizes.reduce((sum, { mb }) => sum + mb, 0)
  const largest = sizes.slice(0, 5).map(({ path, mb }) => `${path} ${mb.toFixed(1)} MB`)
  expect(total_mb, largest.join(', ')).toBeLessThanOrEqual(INSTALL_MB_MAX)
  expect(total_mb).toBeGreaterThan(20)
})
