/** The files of the page /chart, bundled with esbuild: nothing comes from another host. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { build } from 'esbuild'

const here = import.meta.dirname
const library = dirname(createRequire(import.meta.url).resolve('lightweight-charts/package.json'))

/**
 * Paths below /chart, with their bytes. The script and the style sheet are named after their
 * content, so that browsers can cache them forever.
 */
export async function bundleChart() {
  const { outputFiles } = await build({
    entryPoints: [
      { in: join(here, 'main.tsx'), out: 'app' },
      { in: join(here, 'style.css'), out: 'app' },
    ],
    outdir: here,
    write: false,
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'none',
    logLevel: 'error',
  })
  const assets = ['js', 'css'].map((kind) => {
    const { contents } = outputFiles.find(({ path }) => path.endsWith(`.${kind}`))
    const hash = createHash('sha256').update(contents).digest('hex').slice(0, 12)
    return { path: `assets/app-${hash}.${kind}`, bytes: Buffer.from(contents) }
  })
  const html = readFileSync(join(here, 'index.html'), 'utf8')
    .replace('SCRIPT', `/chart/${assets[0].path}`)
    .replace('STYLE', `/chart/${assets[1].path}`)
  return [
    { path: 'index.html', bytes: Buffer.from(html) },
    { path: 'NOTICE.txt', bytes: readFileSync(join(here, 'NOTICE.txt')) },
    { path: 'LICENSE.txt', bytes: readFileSync(join(library, 'LICENSE')) },
    ...assets,
  ]
}
