/** What `docker build` would be given in a checkout where somebody works, with secrets in it. */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ROOT } from '../support/imports.ts'
import { run } from './tools.ts'

/** Files that lie around in checkouts, and must not get into an image. */
const SECRET_FILES = [
  '.env',
  '.npmrc',
  '.data/stack.json',
  'core/.env',
  'edge-api/.dev.vars',
  'edge-api/.wrangler/state.json',
  'infra/.env.production',
  'infra/docker/.env',
  'infra/docker/secrets/database-password',
  'infra/console/dist/app.js.map',
  'ingestor/ingestor.log',
]

export function makeContext(dir: string, secret: string): void {
  const tracked = run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], ROOT)
  for (const name of tracked.split('\0').filter(Boolean)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true })
    cpSync(join(ROOT, name), join(dir, name), { verbatimSymlinks: true })
  }
  for (const name of SECRET_FILES) {
    mkdirSync(dirname(join(dir, name)), { recursive: true })
    writeFileSync(join(dir, name), `${secret}\n`)
  }
}
