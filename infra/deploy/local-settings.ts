/** The settings that a deploy takes along: a folder of environment files, or the main one alone. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Env } from '#core/environment.ts'
import { describeError, OperatorError } from '#core/errors.ts'
import { parseConfig as parseConsole } from '../console/config.ts'
import { configure, type Program } from '../doctor/programs.ts'
import { INSTANCE_PORTS } from './machine/instances.ts'
import { parseEnvironmentFile, type Variables } from './machine/environment-file.ts'

export interface SettingsFile {
  readonly name: string
  readonly bytes: Buffer
  readonly sha256: string
  /** Secrets are for root alone; a CA's certificate is public. */
  readonly mode: '600' | '644'
}

/** booktape.env: ingestor, jobs, console, migrations. gateway.env: the gateway and nothing else. */
const NAMES =
  /^(booktape|ingestor|jobs|gateway|console|live|clusters|migrate|caddy)\.env$|^[\w-]+\.(crt|pem)$/

/** Errors: OperatorError no_settings, bad_settings, bad_environment_file. */
export function readSettings(path: string): readonly SettingsFile[] {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) {
    throw new OperatorError('no_settings', `There is no ${path}.`, {
      hint: 'Name a folder with booktape.env (and gateway.env), or such a file.',
    })
  }
  if (!found.isDirectory()) return [settingsFile('booktape.env', path)]
  const names = readdirSync(path).filter((name) => NAMES.test(name))
  const other = readdirSync(path).filter((name) => name.endsWith('.env') && !NAMES.test(name))
  if (other.length > 0 || !names.includes('booktape.env')) {
    const what = other.length > 0 ? `has ${other.join(', ')}` : 'has no booktape.env'
    throw new OperatorError('bad_settings', `${path} ${what}.`, {
      hint:
        'Programs read booktape.env, ingestor.env, jobs.env, gateway.env, console.env, live.env, ' +
        'clusters.env.',
    })
  }
  return names.map((name) => settingsFile(name, join(path, name)))
}

/**
 * As each program would read them on the machine. Errors: OperatorError bad_settings, with the
 * problems of all programs and without a value.
 */
export function checkSettings(files: readonly SettingsFile[], domain: string | undefined): void {
  const read = (name: string): Variables => {
    const file = files.find((one) => one.name === name)
    return file === undefined ? {} : parseEnvironmentFile(file.bytes.toString('utf8'), name)
  }
  const shared = { WORK_DIR: '/var/lib/booktape/work', ...read('booktape.env') }
  const programs: Program[] = [
    { name: 'ingestor', kind: 'ingestor', env: { ...shared, ...read('ingestor.env') } },
    { name: 'jobs', kind: 'jobs', env: { ...shared, ...read('jobs.env') } },
  ]
  if (files.some(({ name }) => name === 'gateway.env')) {
    programs.push({ name: 'gateway', kind: 'gateway', env: read('gateway.env') })
  }
  if (files.some(({ name }) => name === 'clusters.env')) {
    programs.push({
      name: 'clusters',
      kind: 'clusters',
      env: { ...shared, ...read('clusters.env') },
    })
  }
  const problems = configure(programs)
    .findings.filter(({ level }) => level === 'error')
    .map(({ found }) => found)
  const console_env: Env = { CONSOLE_HOSTS: domain, ...shared, ...read('console.env') }
  if (console_env['CONSOLE_TOKENS'] !== undefined) {
    try {
      parseConsole(console_env)
    } catch (error) {
      problems.push(describeError(error))
    }
  }
  problems.push(...portProblems(programs, console_env))
  if (problems.length > 0) throw new OperatorError('bad_settings', problems.join('\n'))
}

const PORT_VARIABLES = ['PORT', 'CLUSTERS_PORT', 'METRICS_PORT'] as const
/** Where a program listens if its environment does not say. */
const STANDARD_PORTS: Readonly<Record<string, number>> = {
  'gateway PORT': 8_090,
  'clusters CLUSTERS_PORT': 8_096,
}

/** A port that two programs would listen on. */
function portProblems(programs: readonly Program[], console_env: Env): readonly string[] {
  const uses = programs.flatMap(({ kind, env }) => {
    const names = kind === 'ingestor' ? INSTANCE_PORTS : PORT_VARIABLES
    return names.flatMap((name) => {
      const port = Number(env[name] ?? STANDARD_PORTS[`${kind} ${name}`] ?? 0)
      const who = `${name} of ${kind}`
      if (port === 0) return []
      return kind === 'ingestor'
        ? [
            { port, who },
            { port: port + 1, who: `${who}, instance b` },
          ]
        : [{ port, who }]
    })
  })
  if (console_env['CONSOLE_TOKENS'] !== undefined) {
    uses.push({ port: Number(console_env['CONSOLE_PORT'] ?? 8_091), who: 'CONSOLE_PORT' })
  }
  return [...Map.groupBy(uses, ({ port }) => port)].flatMap(([port, users]) =>
    users.length < 2
      ? []
      : [`Port ${port} is wanted twice: ${users.map(({ who }) => who).join('; ')}.`],
  )
}

function settingsFile(name: string, path: string): SettingsFile {
  const bytes = readFileSync(path)
  if (name.endsWith('.env')) parseEnvironmentFile(bytes.toString('utf8'), path)
  return {
    name,
    bytes,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    mode: name.endsWith('.env') ? '600' : '644',
  }
}
