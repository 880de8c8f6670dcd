/**
 * The files of the page. A production install has no bundler, so it serves what `npm run build`
 * wrote; a checkout bundles the sources at every start, and so never shows an old page.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { BundledPage } from './bundle.ts'

export interface PageFile {
  /** The NAME in its URL, /assets/NAME. */
  readonly name: string
  readonly type: string
  readonly bytes: Buffer
  readonly gzip: Buffer
}

export interface PageBundle {
  readonly html: PageFile
  readonly assets: readonly PageFile[]
  /** Compressed size of all files together. */
  readonly gzip_bytes: number
}

const DIST_DIR = join(import.meta.dirname, 'dist')
const TEMPLATE_FILE = join(import.meta.dirname, 'page', 'index.html')
const TYPES = { js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8' } as const
const KINDS = ['js', 'css'] as const

/** Undefined if there is neither a bundler nor a built page. */
export async function loadPage(): Promise<PageBundle | undefined> {
  const bundled = (await bundleSources()) ?? readBuiltPage(DIST_DIR)
  return bundled === undefined ? undefined : assemblePage(bundled)
}

/** Writes the page for installs without a bundler. Returns the folder. */
export function writeBuiltPage(bundled: BundledPage, dir = DIST_DIR): string {
  rmSync(dir, { recursive: true, force: true })
  mkdirSync(dir, { recursive: true })
  for (const kind of KINDS) writeFileSync(join(dir, `app.${kind}`), bundled[kind])
  return dir
}

export function readBuiltPage(dir: string): BundledPage | undefined {
  try {
    const [js, css] = KINDS.map((kind) => readFileSync(join(dir, `app.${kind}`)))
    return { js: js!, css: css! }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Names each file after its content, so that browsers can cache it forever. */
export function assemblePage(bundled: BundledPage): PageBundle {
  const assets = KINDS.map((kind) => {
    const bytes = Buffer.from(bundled[kind])
    const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 12)
    return fileOf(`app-${hash}.${kind}`, TYPES[kind], bytes)
  })
  const [script, style] = assets
  const text = readFileSync(TEMPLATE_FILE, 'utf8')
    .replace('SCRIPT', `/assets/${script!.name}`)
    .replace('STYLE', `/assets/${style!.name}`)
  const html = fileOf('index.html', 'text/html; charset=utf-8', Buffer.from(text))
  const gzip_bytes = [html, ...assets].reduce((sum, { gzip }) => sum + gzip.length, 0)
  return { html, assets, gzip_bytes }
}

/** Undefined in an install without development dependencies. */
async function bundleSources(): Promise<BundledPage | undefined> {
  try {
    createRequire(import.meta.url).resolve('esbuild')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND') return undefined
    throw error
  }
  return (await import('./bundle.ts')).bundlePage()
}

function fileOf(name: string, type: string, bytes: Buffer): PageFile {
  return { name, type, bytes, gzip: gzipSync(bytes, { level: 9 }) }
}
