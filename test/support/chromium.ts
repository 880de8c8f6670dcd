/** Debian's Chromium for tests of pages (`apt-get install chromium`); without it they skip. */
import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const PATH = '/usr/bin/chromium'
/** It runs as root in CI, without a GPU, and asks no other host. */
const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
]

export const has_chromium = existsSync(PATH)

export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: PATH, args: ARGS })
}
