/** Bundles the page with esbuild: a script and a style sheet, nothing from another host. */
import { join } from 'node:path'
import { build } from 'esbuild'

/** The bundler's output. */
export interface BundledPage {
  readonly js: Uint8Array
  readonly css: Uint8Array
}

const PAGE_DIR = join(import.meta.dirname, 'page')

export async function bundlePage(): Promise<BundledPage> {
  const { outputFiles } = await build({
    entryPoints: [
      { in: join(PAGE_DIR, 'app.tsx'), out: 'app' },
      { in: join(PAGE_DIR, 'style.css'), out: 'app' },
    ],
    outdir: PAGE_DIR,
    write: false,
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'none',
    logLevel: 'silent',
  })
  const bytesOf = (kind: string): Uint8Array => {
    const file = outputFiles.find(({ path }) => path.endsWith(`.${kind}`))
    if (file === undefined) throw new Error(`esbuild made no .${kind} file of the page.`)
    return file.contents
  }
  return { js: bytesOf('js'), css: bytesOf('css') }
}
