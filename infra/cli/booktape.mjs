#!/usr/bin/env node
// Entry point of every command. If an older Node runs this file, it hands over to the Node 24 that
// `npm ci` installed (node_modules/.bin/node). A production install has no Node of its own.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

if (Number(process.versions.node.split('.')[0]) >= 24) {
  await import('./main.ts')
} else {
  const node = fileURLToPath(new URL('../../node_modules/.bin/node', import.meta.url))
  if (!existsSync(node)) {
    process.stderr.write(
      `booktape needs Node 24 or newer. This is Node ${process.versions.node}, and there is no other ` +
        'in node_modules. Install Node 24 (a production install brings none). For a checkout on ' +
        'Linux, `npm ci` brings it.\n',
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
