/** One file with everything that a machine needs: for cloud-init, and where no ssh goes. */
import { execFile } from 'node:child_process'
import { copyFileSync, linkSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { packDependencies, packRelease } from './release.ts'

const SCRIPTS = fileURLToPath(new URL('scripts/', import.meta.url))

/** Writes an archive whose install.sh does the rest. Returns the release's name. */
export async function writeBundle(file: string, cpu: string): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'booktape-bundle-'))
  try {
    const release = await packRelease(dir)
    const dependencies = await packDependencies(cpu)
    link(dependencies.file, join(dir, 'dependencies.tar.gz'))
    writeFileSync(join(dir, 'release.name'), release.name)
    writeFileSync(join(dir, 'dependencies.name'), dependencies.name)
    for (const name of readdirSync(SCRIPTS)) copyFileSync(join(SCRIPTS, name), join(dir, name))
    const names = readdirSync(dir).filter((name) => name !== 'files')
    await promisify(execFile)('tar', ['-cf', file, '-C', dir, ...names.toSorted()])
    return release.name
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

/** No copy of a large file, where that can be. */
function link(from: string, to: string): void {
  try {
    linkSync(from, to)
  } catch {
    copyFileSync(from, to)
  }
}
