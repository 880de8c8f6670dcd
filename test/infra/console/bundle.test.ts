/** The page as it is sent: small, whole, and from nowhere else. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, expect, test } from 'vitest'
import { buildPage } from '../../../infra/console/bundle.ts'

const GZIP_BYTES_MAX = 120_000

const dir = mkdtempSync(join(tmpdir(), 'booktape-page-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

test('the whole page is at most 120 kB compressed and names no other host', async () => {
  const { html, assets, gzip_bytes } = await buildPage(dir)
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
