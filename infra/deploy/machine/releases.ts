/** The releases on the machine, and which of them are in use. */
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { OperatorError } from '#core/errors.ts'
import { linkTarget } from './instances.ts'
import type { Layout } from './layout.ts'

/** Written into the folder last; holds the name of the folder of its dependencies. */
export const RELEASE_MARK = '.booktape-release'
const KEPT = 3

export const LINKS = ['current', 'previous', 'next', 'ingestor-a', 'ingestor-b'] as const

/** Errors: OperatorError no_release. */
export function releaseDir({ releases }: Layout, name: string): string {
  const dir = join(releases, name)
  if (/^[\w.+-]{1,100}$/.test(name) && existsSync(join(dir, RELEASE_MARK))) return dir
  throw new OperatorError('no_release', `There is no complete release ${name} in ${releases}.`, {
    hint: 'Deploy it again.',
  })
}

/** Deletes releases that nothing uses, except the newest, and then dependencies that none has. */
export function pruneReleases(layout: Layout): readonly string[] {
  const { opt, releases, dependencies } = layout
  const used = new Set(LINKS.map((link) => basename(linkTarget(join(opt, link)) ?? '')))
  const names = readdirSync(releases).filter((name) => !name.startsWith('.'))
  const newest = names
    .map((name) => ({ name, at: statSync(join(releases, name)).mtimeMs }))
    .toSorted((one, other) => other.at - one.at)
    .slice(0, KEPT)
  const kept = new Set([...used, ...newest.map(({ name }) => name)])
  const gone = names.filter((name) => !kept.has(name))
  for (const name of gone) rmSync(join(releases, name), { recursive: true, force: true })
  const needed = new Set(
    names.filter((name) => kept.has(name)).map((name) => dependenciesOf(join(releases, name))),
  )
  for (const name of existsSync(dependencies) ? readdirSync(dependencies) : []) {
    if (needed.has(name) || name.startsWith('.')) continue
    rmSync(join(dependencies, name), { recursive: true, force: true })
  }
  return gone
}

function dependenciesOf(release_dir: string): string {
  const mark = join(release_dir, RELEASE_MARK)
  return existsSync(mark) ? readFileSync(mark, 'utf8').trim() : ''
}
