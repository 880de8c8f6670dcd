/** `npx booktape doctor`: finds an operator's mistakes before they do harm. */
import { Command } from 'commander'
import { describeError } from '#core/errors.ts'
import { examine } from '../doctor/doctor.ts'
import { type Finding, type Level, LEVELS } from '../doctor/finding.ts'
import {
  PROGRAM_KINDS,
  type Program,
  type ProgramKind,
  programsOfEnvironment,
  programsOfStack,
} from '../doctor/programs.ts'
import { EXIT_FAILED, EXIT_UNREACHABLE, EXIT_WRONG_USE, exitCodeOf } from './exit-codes.ts'
import { listOf } from './options.ts'

/** Ends the command even if an abandoned check still holds something open. */
const END_MS = 1_000

/** The live server and the cluster engine have secrets of their own, or run elsewhere. */
const DEFAULT_KINDS = PROGRAM_KINDS.filter((kind) => kind !== 'live' && kind !== 'clusters')

interface Flags {
  readonly dataDir: string
  readonly program: readonly ProgramKind[]
  readonly settings: readonly string[]
  readonly json?: true
}

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('look at disks, clocks, Postgres, object store, exchange and settings')
    .option(
      '--program <names>',
      `which programs this environment is of, a comma list of ${PROGRAM_KINDS.join(', ')}`,
      listOf(PROGRAM_KINDS),
      DEFAULT_KINDS,
    )
    .option('--settings <file>', 'read variables from this file too; may be repeated', collect, [])
    .option('--json', 'the findings for machines')
    .option(
      '--data-dir <dir>',
      'the folder of the local stack; not used where DATABASE_URL is set',
      '.data',
    )
    .allowExcessArguments(false)
    .action(async (flags: Flags) => {
      let programs: readonly Program[]
      try {
        programs = programsOf(flags)
      } catch (error) {
        process.stderr.write(`There is nothing to look at: ${describeError(error)}\n`)
        process.exitCode = exitCodeOf(error) === EXIT_WRONG_USE ? EXIT_WRONG_USE : EXIT_UNREACHABLE
        return
      }
      const findings = await examine(programs)
      const level = worstOf(findings)
      process.stdout.write(
        flags.json === true
          ? `${JSON.stringify({ checked_at: new Date().toISOString(), level, findings })}\n`
          : reportText(findings),
      )
      if (level === 'error') process.exitCode = EXIT_FAILED
      setTimeout(() => process.exit(), END_MS).unref()
    })
}

function programsOf({ dataDir, program, settings }: Flags): readonly Program[] {
  const { env } = process
  if (env['DATABASE_URL'] === undefined && settings.length === 0) return programsOfStack(dataDir)
  return programsOfEnvironment(program, env, settings)
}

export function worstOf(findings: readonly Finding[]): Level {
  const rank = Math.max(0, ...findings.map(({ level }) => LEVELS.indexOf(level)))
  return LEVELS[rank]!
}

export function reportText(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length))
  const indent = ' '.repeat('warning'.length + width + 4)
  const lines = findings.flatMap(({ check, level, found, expected, todo }) => [
    `${level.padEnd('warning'.length)}  ${check.padEnd(width)}  ${found}`,
    ...(expected === null ? [] : [`${indent}expected: ${expected}`]),
    ...(todo === null ? [] : [`${indent}to do: ${todo}`]),
  ])
  const counts = LEVELS.map((level) => findings.filter((one) => one.level === level).length)
  const [ok, warnings, errors] = counts
  return [...lines, `${ok} ok, warnings: ${warnings}, errors: ${errors}.`, ''].join('\n')
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}
