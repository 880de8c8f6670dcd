/** Bundles the page: two files and a frame of HTML, nothing from another host. */
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

export interface PageFile {
  /** Of its URL: /assets/NAME. */
  readonly name: string
  readonly type: string
  readonly bytes: Buffer
  readonly gzip: Buffer
}

export interface PageBundle {
  readonly html: PageFile
  readonly assets: readonly PageFile[]
  /** Of everything together, compressed. */
  readonly gzip_bytes: number
}

const PAGE_DIR = join(import.meta.dirname, 'page')
const TYPES = { js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8' } as const

/** Writes the same files into `out_dir`, for people who look for an error. */
export async function buildPage(out_dir: string): Promise<PageBundle> {
  mkdirSync(out_dir, { recursive: true })
  await build({
    entryPoints: [
      { in: join(PAGE_DIR, 'app.tsx'), out: 'app' },
      { in: join(PAGE_DIR, 'style.css'), out: 'app' },
    ],
    outdir: out_dir,
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'none',
    logLevel: 'silent',
  })
  const assets = (['js', 'css'] as const).map((kind) => {
    const bytes = readFileSync(join(out_dir, `app.${kind}`))
    const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 12)
    return fileOf(`app-${hash}.${kind}`, TYPES[kind], bytes)
  })
  const [script, style] = assets
  const text = readFileSync(join(PAGE_DIR, 'index.html'), 'utf8')
    .replace('SCRIPT', `/assets/${script!.name}`)
    .replace('STYLE', `/assets/${style!.name}`)
  const html = fileOf('index.html', 'text/html; charset=utf-8', Buffer.from(text))
  const gzip_bytes = [html, ...assets].reduce((sum, { gzip }) => sum + gzip.length, 0)
  return { html, assets, gzip_bytes }
}

function fileOf(name: string, type: string, bytes: Buffer): PageFile {
  return { name, type, bytes, gzip: gzipSync(bytes, { level: 9 }) }
}
