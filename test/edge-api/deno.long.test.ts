/**
 * The edge API on Deno: the same program as on Node, under the same suite. Deno comes from the npm
 * registry (its package has nothing but the binary); without the registry the suite is skipped.
 */
import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { describe } from 'vitest'
import { ROOT } from '../support/imports.ts'
import { atFileEnd } from '../support/file-end.ts'
import { workerBundle } from '../support/worker-bundle.ts'
import { testRuntime, type Runtime } from './runtime.ts'

const PACKAGE = '@deno/linux-x64-glibc'
const VERSION = '2.9.6'

const dir = await mkdtemp(join(tmpdir(), 'booktape-deno-'))
atFileEnd(() => rm(dir, { recursive: true, force: true }))
const deno = await installDeno()

describe.skipIf(deno === undefined)(`${PACKAGE}, from the npm registry`, async () => {
  // It also writes the static files that the program serves.
  await workerBundle()
  await testRuntime((bindings) => start(deno!, bindings), { has_browser: false })
})

async function installDeno(): Promise<string | undefined> {
  await writeFile(join(dir, 'package.json'), '{}')
  const flags = ['--no-audit', '--no-fund', '--ignore-scripts']
  await promisify(execFile)('npm', ['install', `${PACKAGE}@${VERSION}`, ...flags], {
    cwd: dir,
  }).catch(() => undefined)
  const path = join(dir, 'node_modules', PACKAGE, 'deno')
  return existsSync(path) ? path : undefined
}

async function start(binary: string, bindings: Readonly<Record<string, string>>): Promise<Runtime> {
  const child = spawn(binary, ['run', '--allow-all', '--no-lock', 'edge-api/node.ts'], {
    cwd: ROOT,
    env: { ...process.env, ...bindings, PORT: '0', RATE_PER_ADDRESS: '1000000' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  for await (const line of createInterface({ input: child.stdout })) {
    const { url } = JSON.parse(line) as { readonly url?: string }
    if (url === undefined) continue
    child.stdout.resume()
    return {
      url,
      async stop() {
        child.kill('SIGKILL')
        await new Promise((resolve) => child.once('exit', resolve))
      },
    }
  }
  throw new Error('Deno ended before it listened.')
}
