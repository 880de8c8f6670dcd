/** What the tests of doctor start and ask. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Finding, Level } from '../../../infra/doctor/finding.ts'
import { programEnv } from '../../support/program-env.ts'

const CLI = join(import.meta.dirname, '../../../infra/cli/main.ts')

export interface Answer {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** The real command with this environment and nothing else. `through`: a command that starts it. */
export async function doctor(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  through: readonly string[] = [],
): Promise<Answer> {
  const [file, ...rest] = [...through, process.execPath, CLI, 'doctor', ...args]
  try {
    return { code: 0, ...(await promisify(execFile)(file!, rest, { env: programEnv(env) })) }
  } catch (error) {
    const { code, stdout, stderr } = error as Answer
    return { code, stdout, stderr }
  }
}

export function findingsOf({ stdout, stderr }: Answer): readonly Finding[] {
  try {
    return (JSON.parse(stdout) as { readonly findings: readonly Finding[] }).findings
  } catch {
    throw new Error(`No findings: ${stdout}${stderr}`)
  }
}

/** The checks that ended so, in the order of the report. */
export function checksOf(findings: readonly Finding[], level: Level): readonly string[] {
  return findings.filter((finding) => finding.level === level).map(({ check }) => check)
}

export function findingOf(findings: readonly Finding[], check: string): Finding {
  const found = findings.find((finding) => finding.check === check && finding.level !== 'ok')
  if (found === undefined) throw new Error(`No finding of ${check}: ${JSON.stringify(findings)}`)
  return found
}
