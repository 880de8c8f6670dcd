/** What building and running an image without a container engine needs. */
import { execFileSync, spawnSync } from 'node:child_process'

const TOOLS: readonly string[] = [
  'buildah',
  'apt-get',
  'dpkg-deb',
  'unshare',
  'nsenter',
  'setpriv',
  'chroot',
  'mount',
  'npm',
]

/** A sentence, or undefined where the tests can run. */
export function whyNoImage(): string | undefined {
  if (process.platform !== 'linux') return 'images are built on Linux only.'
  if (process.getuid?.() !== 0) return 'building an image without a container engine needs root.'
  const missing = TOOLS.filter((tool) => spawnSync('which', [tool]).status !== 0)
  if (missing.length > 0) {
    return `${missing.join(', ')} cannot be found (Debian: apt-get install buildah).`
  }
  const namespaces = spawnSync('unshare', ['--pid', '--fork', '--mount', '--mount-proc', 'true'])
  if (namespaces.status !== 0) return `unshare may not be used here: ${String(namespaces.stderr)}`
  return undefined
}

/** Returns what it printed. Throws with its error output. */
export function run(command: string, args: readonly string[], cwd?: string): string {
  return execFileSync(command, args, {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(cwd === undefined ? {} : { cwd }),
  }).trim()
}
