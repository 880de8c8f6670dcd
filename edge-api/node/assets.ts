/** The static files of the worker, by path, with the headers that Cloudflare would send. */
import { createHash } from 'node:crypto'
import { globSync, readFileSync, statSync } from 'node:fs'
import { extname, join } from 'node:path'

export type Asset =
  | {
      readonly kind: 'file'
      readonly file: string
      readonly headers: Readonly<Record<string, string>>
    }
  | { readonly kind: 'redirect'; readonly to: string }

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.txt': 'text/plain; charset=utf-8',
}
const RULES = '_headers'

/** Pages lose their ending and trailing slash, as `html_handling` in wrangler.jsonc has it. */
export function listAssets(dir: string): Readonly<Record<string, Asset>> {
  const rules = readRules(join(dir, RULES))
  const assets: Record<string, Asset> = {}
  for (const file of globSync('**', { cwd: dir }).toSorted()) {
    if (file === RULES || !statSync(join(dir, file)).isFile()) continue
    const path = `/${file}`.replace(/(?:\/index)?\.html$/, '')
    const hash = createHash('sha256').update(readFileSync(join(dir, file)))
    const headers = {
      'content-type': TYPES[extname(file)] ?? 'application/octet-stream',
      'cache-control': 'public, max-age=0, must-revalidate',
      etag: `"${hash.digest('hex').slice(0, 32)}"`,
      ...Object.assign({}, ...rules.filter(({ isFor }) => isFor(path)).map((rule) => rule.headers)),
    }
    assets[path] = { kind: 'file', file, headers }
    if (file.endsWith('/index.html')) assets[`${path}/`] = { kind: 'redirect', to: path }
  }
  return assets
}

interface Rule {
  isFor(path: string): boolean
  readonly headers: Record<string, string>
}

/** A path with `*` on a line, and the headers indented below it. */
function readRules(path: string): readonly Rule[] {
  const rules: Rule[] = []
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    const text = line.trim()
    if (text === '' || text.startsWith('#')) continue
    if (line.startsWith(' ')) {
      const colon = text.indexOf(':')
      rules.at(-1)!.headers[text.slice(0, colon).toLowerCase()] = text.slice(colon + 1).trim()
    } else {
      const parts = text.split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'))
      const pattern = new RegExp(`^${parts.join('.*')}$`)
      rules.push({ isFor: (asked) => pattern.test(asked), headers: {} })
    }
  }
  return rules
}
