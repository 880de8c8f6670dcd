/**
 * The two base images of the Dockerfile, made of Debian packages and of the Node in node_modules,
 * because a test may not depend on a registry of images.
 */
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { ROOT } from '../support/imports.ts'
import type { ImageStore } from './store.ts'
import { run } from './tools.ts'

export const BASE_IMAGE = 'localhost/base'
export const NODE_IMAGE = 'localhost/node'
/** Where RUN finds npm's cache of this machine. */
export const NPM_CACHE_MOUNT = '/npm-cache'

/** What Node needs; a shell and the commands that npm and the Dockerfile use. */
const PACKAGES =
  'base-files libc6 libgcc-s1 gcc-12-base libstdc++6 ca-certificates ' +
  'dash coreutils libacl1 libattr1 libselinux1 libpcre2-8-0 libgmp10'

export function makeBaseImages(store: ImageStore, dir: string): void {
  const packages = join(dir, 'packages')
  mkdirSync(packages, { recursive: true })
  downloadPackages(packages)
  store.make(BASE_IMAGE, 'scratch', (root) => {
    for (const name of readdirSync(packages)) run('dpkg-deb', ['-x', join(packages, name), root])
  })
  store.make(NODE_IMAGE, BASE_IMAGE, addNode)
}

/** A new machine has no list of packages yet. */
function downloadPackages(dir: string): void {
  const download = (): string =>
    run('apt-get', ['download', '--quiet', ...PACKAGES.split(' ')], dir)
  try {
    download()
  } catch {
    run('apt-get', ['update', '--quiet', '--option', 'DPkg::Lock::Timeout=300'])
    download()
  }
}

/** As Debian's image of Node has it: /usr/local/bin/node and npm. */
function addNode(root: string): void {
  const local = join(root, 'usr/local')
  const npm = dirname(dirname(realpathSync(run('which', ['npm']))))
  for (const name of ['bin', 'etc', 'lib/node_modules']) {
    mkdirSync(join(local, name), { recursive: true })
  }
  copyFileSync(realpathSync(join(ROOT, 'node_modules/.bin/node')), join(local, 'bin/node'))
  cpSync(npm, join(local, 'lib/node_modules/npm'), { recursive: true })
  symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(local, 'bin/npm'))
  mkdirSync(join(root, 'root'), { recursive: true })
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n')
  writeFileSync(join(local, 'etc/npmrc'), npmSettings(root))
}

/** The registry of this machine, the certificates that it needs, and the cache. */
function npmSettings(root: string): string {
  const settings = {
    cache: NPM_CACHE_MOUNT,
    'prefer-offline': 'true',
    registry: npmConfig('registry'),
  }
  const configured = npmConfig('cafile')
  const ca_file = configured === 'null' ? process.env['NODE_EXTRA_CA_CERTS'] : configured
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`)
  if (ca_file === undefined || ca_file === '') return lines.join('')
  mkdirSync(join(root, 'etc/ssl'), { recursive: true })
  copyFileSync(resolve(ca_file), join(root, 'etc/ssl/npm.pem'))
  return [...lines, 'cafile=/etc/ssl/npm.pem\n'].join('')
}

export function npmConfig(name: string): string {
  return run('npm', ['config', 'get', name])
}
