/** The chart page as it is sent: small, whole, and from nowhere else. */
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { bundleChart } from '../../../edge-api/chart/bundle.mjs'

const GZIP_BYTES_MAX = 100_000

test('the whole page is at most 100 kB compressed and loads nothing from other hosts', async () => {
  const files = await bundleChart()
  const shown = files.filter(({ path }) => /\.(?:html|js|css)$/.test(path))
  const sizes = shown.map(({ bytes }) => gzipSync(bytes, { level: 9 }).byteLength)
  const gzip_bytes = sizes.reduce((sum, size) => sum + size, 0)
  expect(gzip_bytes).toBeGreaterThan(20_000)
  expect(gzip_bytes).toBeLessThanOrEqual(GZIP_BYTES_MAX)
  const [html, ...assets] = shown
  expect(html!.path).toBe('index.html')
  for (const { path } of assets) expect(html!.bytes.toString()).toContain(`"/chart/${path}"`)
  const text = shown.map(({ bytes }) => bytes.toString()).join('\n')
  const hosts = [...text.matchAll(/https?:\/\/([\w.-]+)/g)].map(([, host]) => host)
  // A link to the authors of lightweight-charts, as its notice asks; names of XML are no addresses.
  expect([...new Set(hosts)].toSorted()).toEqual(['www.tradingview.com', 'www.w3.org'])
})

test('the licences of what is in the page come with it', async () => {
  const texts = new Map((await bundleChart()).map(({ path, bytes }) => [path, bytes.toString()]))
  expect(texts.get('NOTICE.txt')).toContain('TradingView Lightweight Charts™')
  expect(texts.get('LICENSE.txt')).toContain('Apache License')
})
