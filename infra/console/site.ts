/** Serves the page, to anyone: it holds no data. The API checks who may read data. */
import { type Context, Hono } from 'hono'
import type { DoorApp, DoorEnv } from '#core/node/door/app.ts'
import type { PageBundle, PageFile } from './page-files.ts'

/**
 * The charts set styles through the CSSOM, which this policy allows. No style attribute is used.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')
const YEAR_S = 31_536_000
const NOT_BUILT =
  'The page was not built; the API is at /api. Run `npm ci && npm run build` before ' +
  '`npm ci --omit=dev`, or use the image (docs/deploy-droplet.md), and restart the console.\n'

/** `page` is undefined if it was not built. */
export function createSite(page: PageBundle | undefined, api: DoorApp): DoorApp {
  const site: DoorApp = new Hono<DoorEnv>()
  site.get('/', (c) =>
    page === undefined ? c.text(NOT_BUILT, 503) : send(c, page.html, 'no-cache'),
  )
  for (const asset of page?.assets ?? []) {
    site.get(`/assets/${asset.name}`, (c) => send(c, asset, `public, max-age=${YEAR_S}, immutable`))
  }
  site.route('/api', api)
  site.notFound((c) =>
    c.text('There is nothing here. The console is at /, its API at /api.\n', 404),
  )
  return site
}

function send(c: Context<DoorEnv>, file: PageFile, cache_control: string): Response {
  const accepts_gzip = /\bgzip\b/.test(c.req.header('accept-encoding') ?? '')
  return c.body(new Uint8Array(accepts_gzip ? file.gzip : file.bytes), 200, {
    'content-type': file.type,
    'cache-control': cache_control,
    'content-security-policy': POLICY,
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'cross-origin-opener-policy': 'same-origin',
    vary: 'accept-encoding',
    ...(accepts_gzip ? { 'content-encoding': 'gzip' } : {}),
  })
}
