/** The programs of an installation with the environment of each, checked by their own parsers. */
import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import type { Env } from '#core/environment.ts'
import { OperatorError } from '#core/errors.ts'
import { type GatewayConfig, parseConfig as parseGateway } from '../../edge-api/gateway/config.ts'
import { type IngestorConfig, parseConfig as parseIngestor } from '../../ingestor/config.ts'
import { type LiveConfig, parseConfig as parseLive } from '../../ingestor/live/config.ts'
import { type ClustersConfig, parseConfig as parseClusters } from '../../jobs/clusters/config.ts'
import { type JobsConfig, parseConfig as parseJobs } from '../../jobs/config.ts'
import { readStackFile, type StackFile } from '../local/data-dir.ts'
import { failure, fine, type Finding } from './finding.ts'

export const PROGRAM_KINDS = ['ingestor', 'jobs', 'gateway', 'live', 'clusters'] as const
export type ProgramKind = (typeof PROGRAM_KINDS)[number]

export interface Program {
  /** For people: an installation may have two ingestors. */
  readonly name: string
  readonly kind: ProgramKind
  readonly env: Env
}

export type Configured =
  | { readonly kind: 'ingestor'; readonly name: string; readonly config: IngestorConfig }
  | { readonly kind: 'jobs'; readonly name: string; readonly config: JobsConfig }
  | { readonly kind: 'gateway'; readonly name: string; readonly config: GatewayConfig }
  | { readonly kind: 'live'; readonly name: string; readonly config: LiveConfig }
  | { readonly kind: 'clusters'; readonly name: string; readonly config: ClustersConfig }

/** Of the running local stack. Errors: OperatorError no_stack. */
export function programsOfStack(data_dir: string): readonly Program[] {
  const { environments } = readStackFile(data_dir) as Partial<StackFile>
  if (environments === undefined) {
    throw new OperatorError('stack_too_old', 'The stack that runs was started by an older build.', {
      hint: 'Stop it and start it again.',
    })
  }
  return Object.entries(environments).flatMap(([name, env]) => {
    const kind =
      name === 'cluster engine'
        ? 'clusters'
        : PROGRAM_KINDS.find((one) => name.endsWith(one) || name === `${one} server`)
    return kind === undefined ? [] : [{ name, kind, env }]
  })
}

/** One environment for all programs. Files override the process environment, later files win. */
export function programsOfEnvironment(
  kinds: readonly ProgramKind[],
  env: Env,
  files: readonly string[],
): readonly Program[] {
  const read: Env = Object.assign({}, env, ...files.map(readEnvFile)) as Env
  return kinds.map((kind) => ({ name: kind, kind, env: read }))
}

/** `findings`: about each environment. `configured` leaves out programs with a wrong one. */
export function configure(programs: readonly Program[]): {
  readonly findings: readonly Finding[]
  readonly configured: readonly Configured[]
} {
  const findings: Finding[] = []
  const configured: Configured[] = []
  for (const program of programs) {
    const { name, kind } = program
    const check = `environment.${kind}`
    try {
      configured.push(parse(program))
      findings.push(fine(check, `The environment of ${name} is usable.`))
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error
      findings.push(
        failure(check, error.message, {
          expected: 'an environment that the program starts with',
          todo:
            `${error.hint ?? ''} Its other checks were left out. ` +
            '--program names the programs that run here.'.trim(),
        }),
      )
    }
  }
  return { findings, configured }
}

function parse({ kind, name, env }: Program): Configured {
  switch (kind) {
    case 'ingestor':
      return { kind, name, config: parseIngestor(env) }
    case 'jobs':
      return { kind, name, config: parseJobs(env) }
    case 'gateway':
      return { kind, name, config: parseGateway(env) }
    case 'live':
      return { kind, name, config: parseLive(env) }
    case 'clusters':
      return { kind, name, config: parseClusters(env) }
  }
}

function readEnvFile(file: string): Env {
  try {
    return parseEnv(readFileSync(file, 'utf8'))
  } catch (cause) {
    const message = `The file ${file} cannot be read: ${(cause as Error).message}.`
    const hint = 'Name a file of lines such as NAME=value in --settings.'
    throw new OperatorError('env_file_unreadable', message, { hint, cause })
  }
}
