/**
 * What is sent to a machine: the project's files, and the production dependencies with Node 24.
 * Both are named by their content, so that nothing is sent twice.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { OperatorError } from '#core/errors.ts'
import { writeBuiltPage } from '../console/page-files.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const run = promisify(execFile)

export interface Package {
  /** Of its folder on the machine. */
  readonly name: string
  /** A compressed archive. */
  readonly file: string
  readonly bytes: number
  /** Unpacked, about. */
  readonly unpacked_bytes: number
}

/** What the programs are made of. */
const PARTS = ['core', 'ingestor', 'jobs', 'edge-api', 'infra', 'sql']
const FILES = ['package.json', 'package-lock.json', '.env.example', 'README.md', 'CHANGELOG.md']
const SKIPPED =
  /(?:^|\/)(?:node_modules|\.wrangler|\.terraform|\.dev\.vars)(?:\/|$)|^edge-api\/dist\//

/** Packs the project as it is here into `dir`, with the console's page built. */
export async function packRelease(dir: string, root = ROOT): Promise<Package> {
  // Its bundler is no production dependency, and the command line loads every command for --help.
  const { bundlePage } = await import('../console/bundle.ts')
  writeBuiltPage(await bundlePage())
  const listed = await Promise.all(PARTS.map((part) => filesUnder(root, part)))
  const paths = [
    ...listed.flat(),
    ...FILES.filter((name) => existsSync(join(root, name))),
  ].toSorted()
  const hash = createHash('sha256')
  let unpacked_bytes = 0
  for (const path of paths) {
    const bytes = readFileSync(join(root, path))
    const is_executable = (lstatSync(join(root, path)).mode & 0o100) !== 0
    hash.update(`${path}\0${is_executable}\0${bytes.length}\0`).update(bytes)
    // A file takes whole blocks of the disk.
    unpacked_bytes += bytes.length + 4_096
  }
  const { version } = readPackage(root)
  const file = join(dir, 'release.tar.gz')
  const list = join(dir, 'files')
  writeFileSync(list, `${paths.join('\n')}\n`)
  await run('tar', ['-czf', file, '-C', root, '-T', list])
  const name = `${version}-${hash.digest('hex').slice(0, 12)}`
  return { name, file, bytes: statSync(file).size, unpacked_bytes }
}

/** A name for the dependencies of this project on that kind of machine. */
export function dependenciesName(cpu: string, root = ROOT): string {
  const lock = readFileSync(join(root, 'package-lock.json'))
  return `${createHash('sha256').update(lock).digest('hex').slice(0, 12)}-linux-${cpu}`
}

/**
 * Installs them by npm into an archive in the cache, once for each lock file. `--ignore-scripts`:
 * no package that runs in production needs one. Errors: OperatorError npm_failed.
 */
export async function packDependencies(cpu: string, root = ROOT): Promise<Package> {
  const name = dependenciesName(cpu, root)
  const cache = join(root, 'node_modules/.cache/booktape')
  const file = join(cache, `${name}.tar.gz`)
  if (!existsSync(file)) {
    mkdirSync(cache, { recursive: true })
    const dir = mkdtempSync(join(tmpdir(), 'booktape-dependencies-'))
    try {
      writePackageFiles(root, dir, cpu)
      await install(dir, cpu)
      await run('tar', ['-czf', `${file}.${process.pid}`, '-C', dir, 'node_modules'])
      renameSync(`${file}.${process.pid}`, file)
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  }
  const { size } = statSync(file)
  return { name, file, bytes: size, unpacked_bytes: UNPACKED * size }
}

interface PackageJson {
  dependencies?: Record<string, string>
}
interface LockedPackage extends PackageJson {
  readonly version?: string
  dev?: boolean
  optional?: boolean
  devOptional?: boolean
}

/**
 * For a checkout Node 24 is a dependency of development. A machine needs it too: it becomes one of
 * production, with the version and the checksum that the lock file has.
 */
function writePackageFiles(root: string, dir: string, cpu: string): void {
  const read = <T>(name: string): T => JSON.parse(readFileSync(join(root, name), 'utf8')) as T
  const manifest = read<PackageJson>('package.json')
  const lock = read<{ readonly packages: Record<string, LockedPackage> }>('package-lock.json')
  const name = `node-linux-${cpu}`
  const node = lock.packages[`node_modules/${name}`]
  if (node?.version === undefined) {
    throw new OperatorError('npm_failed', `package-lock.json has no ${name}.`)
  }
  for (const one of [manifest, lock.packages['']!]) {
    one.dependencies = { ...one.dependencies, [name]: node.version }
  }
  for (const flag of ['dev', 'optional', 'devOptional'] as const) delete node[flag]
  writeFileSync(join(dir, 'package.json'), JSON.stringify(manifest))
  writeFileSync(join(dir, 'package-lock.json'), JSON.stringify(lock))
  const linked = 'infra/local/node'
  mkdirSync(join(dir, linked), { recursive: true })
  copyFileSync(join(root, linked, 'package.json'), join(dir, linked, 'package.json'))
}

/** Measured: 3.1 for code and Node's binary, rounded up. */
const UNPACKED = 4

async function install(dir: string, cpu: string): Promise<void> {
  const flags = ['--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline']
  const platform = ['--os=linux', `--cpu=${cpu}`, '--libc=glibc']
  try {
    await run('npm', ['ci', ...flags, ...platform], { cwd: dir, maxBuffer: 64 * 1024 * 1024 })
  } catch (cause) {
    const words = String((cause as { readonly stderr?: unknown }).stderr ?? cause).trim()
    throw new OperatorError('npm_failed', 'npm cannot install the dependencies.', {
      hint: `It says: ${words.split('\n').slice(-5).join(' ')}`,
      cause,
    })
  }
  if (!existsSync(join(dir, 'node_modules/.bin/node'))) {
    throw new OperatorError('npm_failed', `npm installed no Node 24 for linux-${cpu}.`, {
      hint: 'Use npm 10.4 or newer, which knows --os, --cpu and --libc.',
    })
  }
}

async function filesUnder(root: string, part: string): Promise<readonly string[]> {
  const entries = await readdir(join(root, part), { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length).replace(/^\//, ''))
    .filter((path) => !SKIPPED.test(path))
}

function readPackage(root: string): { readonly version: string } {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    readonly version: string
  }
}
