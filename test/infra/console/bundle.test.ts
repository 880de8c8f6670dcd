/** The page as it is sent: small, whole, and from nowhere else. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { Hono } from 'hono'
import { afterAll, expect, test } from 'vitest'
import { bundlePage } from '../../../infra/console/bundle.ts'
import { createSite } from '../../../infra/console/site.ts'
import { assemblePage, readBuiltPage, writeBuiltPage } from '../../../infra/console/page-files.ts'

const GZIP_BYTES_MAX = 120_000

const dir = mkdtempSync(join(tmpdir(), 'booktape-page-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

test('the whole page is at most 120 kB compressed and names no other host', async () => {
  const { html, assets, gzip_bytes } = assemblePage(await bundlePage())
  expect(gzip_bytes).toBeGreaterThan(10_000)
  expect(gzip_bytes).toBeLessThanOrEqual(GZIP_BYTES_MAX)
  for (const { name, bytes, gzip } of assets) {
    expect(html.bytes.toString()).toContain(`/assets/${name}`)
    expect(gunzipSync(gzip).equals(bytes)).toBe(true)
  }
  const text = [html, ...assets].map(({ bytes }) => bytes.toString()).join('\n')
  // Names of XML are no addresses.
  const hosts = [...text.matchAll(/https?:\/\/([\w.-]+)/g)].map(([, host]) => host)
  expect(hosts.filter((host) => host !== 'www.w3.org')).toEqual([])
})

test('what the build wrote is what a checkout serves', async () => {
  const bundled = await bundlePage()
  const folder = writeBuiltPage(bundled, join(dir, 'dist'))
  expect(assemblePage(readBuiltPage(folder)!)).toEqual(assemblePage(bundled))
  expect(readBuiltPage(join(dir, 'nowhere'))).toBeUndefined()
})

test('without a page the console says what to do', async () => {
  const answer = await createSite(undefined, new Hono()).request('/')
  expect(answer.status).toBe(503)
  expect(await answer.text()).toContain('npm run build')
})
