#!/usr/bin/env node
// Entry point of every command. If the Node that runs this file cannot run TypeScript, it hands
// over to the Node 24 that `npm ci` installed (node_modules/.bin/node).
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const [major, minor] = process.versions.node.split('.').map(Number)
if (major > 22 || (major === 22 && minor >= 18)) {
  await import('./main.ts')
} else {
  const node = fileURLToPath(new URL('../../node_modules/.bin/node', import.meta.url))
  if (!existsSync(node)) {
    process.stderr.write(
      `booktape needs Node 24. This is ${process.version}, and node_modules has no other Node. ` +
        'Run `npm ci` first; on systems other than Linux, install Node 24.\n',
    )
    process.exit(1)
  }
  const args = [fileURLToPath(new URL('./main.ts', import.meta.url)), ...process.argv.slice(2)]
  const env = { ...process.env, BOOKTAPE_HANDED_OVER: '1' }
  const child = spawn(node, args, { stdio: 'inherit', env })
  // Forwards signals and waits: the command itself decides how to stop.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => process.exit(code ?? (signal === null ? 1 : 128)))
}
