/** The settings on the machine: which programs they are for, and what each is started with. */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnvironmentFile, type Variables } from './environment-file.ts'
import type { Layout } from './layout.ts'
import { parseUnit, unitFileName } from './unit-file.ts'

export interface Program {
  readonly name: 'jobs' | 'gateway' | 'console' | 'live' | 'clusters'
  readonly unit: string
}

const PROGRAMS = ['live', 'clusters', 'gateway', 'console', 'jobs'] as const

/** Besides the ingestor: those that the settings are for and the release has. */
export function programsOf(layout: Layout, release_dir: string): readonly Program[] {
  const has: Readonly<Record<Program['name'], () => boolean>> = {
    jobs: () => true,
    gateway: () => existsSync(join(layout.etc, 'gateway.env')),
    console: () => 'CONSOLE_TOKENS' in variablesOf(layout, ['booktape.env', 'console.env']),
    live: () =>
      existsSync(join(layout.etc, 'live.env')) &&
      existsSync(join(release_dir, 'ingestor/live/main.ts')),
    clusters: () =>
      existsSync(join(layout.etc, 'clusters.env')) &&
      existsSync(join(release_dir, 'jobs/clusters/main.ts')),
  }
  return PROGRAMS.filter((name) => has[name]()).map((name) => ({
    name,
    unit: `booktape-${name}.service`,
  }))
}

/** Of files in the folder of settings, the last one first; a missing one is empty. */
export function variablesOf({ etc }: Layout, names: readonly string[]): Variables {
  return Object.assign({}, ...names.map((name) => readVariables(join(etc, name)))) as Variables
}

function readVariables(path: string): Variables {
  return existsSync(path) ? parseEnvironmentFile(readFileSync(path, 'utf8'), path) : {}
}

/** Changes with the release, the unit and the settings: where it is equal, no restart is needed. */
export function fingerprintOf(layout: Layout, unit: string, release_dir: string): string {
  const text = readFileSync(join(layout.units, unitFileName(unit)), 'utf8')
  const files = parseUnit(text, unit).environment_files.map(({ path }) =>
    existsSync(path) ? readFileSync(path, 'utf8') : '',
  )
  return createHash('sha256')
    .update(JSON.stringify([release_dir, text, files]))
    .digest('hex')
}
