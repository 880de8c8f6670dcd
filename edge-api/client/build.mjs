/**
 * Builds the package in dist/: the modules with esbuild, the types with tsc. `npm pack` runs it in a
 * checkout with all packages. Arrow decoding is a module of its own, loaded on first use.
 */
import { execFileSync } from 'node:child_process'
import { globSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { build } from 'esbuild'

const here = import.meta.dirname
const dist = join(here, 'dist')
const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'))

rmSync(dist, { recursive: true, force: true })
await build({
  entryPoints: ['index.ts', 'node.ts'].map((name) => join(here, name)),
  outdir: dist,
  bundle: true,
  splitting: true,
  format: 'esm',
  target: 'es2022',
  external: ['node:*'],
  legalComments: 'none',
  logLevel: 'error',
})
const tsc = [join(typescript, 'bin', 'tsc'), '-p', join(here, 'tsconfig.json')]
execFileSync(process.execPath, tsc, { stdio: 'inherit' })
// A program that installs the package has no .ts files.
for (const name of globSync('*.d.ts', { cwd: dist })) {
  const path = join(dist, name)
  writeFileSync(path, readFileSync(path, 'utf8').replaceAll(/'(\.\/[\w-]+)\.ts'/g, "'$1.js'"))
}
