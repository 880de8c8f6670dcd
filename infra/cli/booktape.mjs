#!/usr/bin/env node
// The door of every command. It runs on whatever Node started it and hands over to the Node 24
// that `npm ci` installed (node_modules/.bin/node) where this one cannot run TypeScript.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const [major, minor] = process.versions.node.split('.').map(Number)
if (major > 22 || (major === 22 && minor >= 18)) {
  await import('./main.ts')
} else {
  const node = fileURLToPath(new URL('../../node_modules/.bin/node', import.meta.url))
  if (!existsSync(node)) {
    process.stderr.write(
      `booktape needs Node 24 to run; this is ${process.version}, and there is none in node_modules. ` +
        'Run `npm ci` first; on systems other than Linux install Node 24.\n',
    )
    process.exit(1)
  }
  const args = [fileURLToPath(new URL('./main.ts', import.meta.url)), ...process.argv.slice(2)]
  const { status, signal } = spawnSync(node, args, { stdio: 'inherit' })
  process.exit(status ?? (signal === null ? 1 : 128))
}
