/** The reader in a page of Chromium, which is asked for what it has. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { build } from 'esbuild'
import { launchChromium } from '../../support/chromium.ts'
import type { Reader } from './reader.ts'

export interface PageReader {
  read(): Promise<Reader>
  close(): Promise<void>
}

export async function openPage(url: string, symbols: readonly string[]): Promise<PageReader> {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, 'reader.ts')],
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'soak',
  })
  const start = `window.reader = soak.startReader(${JSON.stringify(url)}, ${JSON.stringify(symbols)})`
  const site = createServer((_, response) => {
    response.setHeader('content-type', 'text/html')
    response.end(
      `<!doctype html><title>soak</title><script>${outputFiles[0]!.text};${start}</script>`,
    )
  })
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve))
  const browser = await launchChromium()
  const page = await browser.newPage()
  await page.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}`)
  return {
    read: () => page.evaluate<Reader>('window.reader'),
    async close() {
      await browser.close()
      site.close()
    },
  }
}
