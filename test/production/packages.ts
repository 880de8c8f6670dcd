/** What `npm ci --omit=dev` installs, read from the lock file. */
import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../support/imports.ts'

interface LockedPackage {
  readonly dev?: boolean
  /** Both a development dependency of ours and an optional peer of a package of ours. */
  readonly devOptional?: boolean
  readonly optional?: boolean
}

export interface ProductionPackage {
  /** Relative to the root: node_modules/NAME, or deeper. */
  readonly path: string
  /** `--omit=optional` leaves it out too; the image does. */
  readonly is_optional: boolean
}

/** Those that fit this platform, in the order of their paths. */
export function productionPackages(): readonly ProductionPackage[] {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, LockedPackage>>
  }
  return Object.entries(packages)
    .filter(([path, { dev }]) => path.startsWith('node_modules/') && dev !== true)
    .map(([path, { devOptional = false, optional = false }]) => ({
      path,
      is_optional: devOptional || optional,
    }))
    .filter(({ path }) => lstatSync(join(ROOT, path), { throwIfNoEntry: false }) !== undefined)
    .toSorted((a, b) => (a.path < b.path ? -1 : 1))
}

/** On the disk, without packages that lie inside it. */
export function diskBytes(dir: string): number {
  return readdirSync(dir, { withFileTypes: true })
    .filter(({ name }) => name !== 'node_modules')
    .reduce((sum, entry) => {
      const path = join(dir, entry.name)
      const own = lstatSync(path).blocks * 512
      return sum + own + (entry.isDirectory() ? diskBytes(path) : 0)
    }, 0)
}
