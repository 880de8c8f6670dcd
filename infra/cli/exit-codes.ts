/** Exit codes, the same for every command. docs/operate.md lists them. */
import { type Command, CommanderError } from 'commander'
import { OperatorError } from '#core/errors.ts'

/** The command could be carried out, and failed, was refused, or found something. */
export const EXIT_FAILED = 1
/** An option, an argument or a setting is missing or cannot be used. Nothing was done. */
export const EXIT_WRONG_USE = 2
/** An ingestor, Postgres or the local stack does not answer. Nothing is known. */
export const EXIT_UNREACHABLE = 3

const EXIT_CODES_TEXT =
  '\nExit code: 0 fine, 1 failed, refused or something found, 2 wrong use, 3 what it needs does ' +
  'not answer.'
const HINT = '(--help lists the commands and options)'

const CODES: Readonly<Record<string, number>> = {
  bad_config: EXIT_WRONG_USE,
  bad_domain: EXIT_WRONG_USE,
  bad_feed: EXIT_WRONG_USE,
  bad_name: EXIT_WRONG_USE,
  bad_options: EXIT_WRONG_USE,
  bad_prefix: EXIT_WRONG_USE,
  bad_symbols: EXIT_WRONG_USE,
  bad_target: EXIT_WRONG_USE,
  bad_window: EXIT_WRONG_USE,
  console_wrong_use: EXIT_WRONG_USE,
  env_file_unreadable: EXIT_WRONG_USE,
  ingestor_wrong_use: EXIT_WRONG_USE,
  no_database_url: EXIT_WRONG_USE,
  same_ingestor: EXIT_WRONG_USE,
  console_cut_off: EXIT_UNREACHABLE,
  console_unreachable: EXIT_UNREACHABLE,
  ingestor_cut_off: EXIT_UNREACHABLE,
  ingestor_unreachable: EXIT_UNREACHABLE,
  no_stack: EXIT_UNREACHABLE,
  postgres_unreachable: EXIT_UNREACHABLE,
}
/** Of sockets. */
const UNREACHABLE = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT', 'EHOSTUNREACH'])

export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return EXIT_WRONG_USE
  if (error instanceof OperatorError) return CODES[error.code] ?? EXIT_FAILED
  const { code } = error as { readonly code?: unknown }
  return UNREACHABLE.has(String(code)) ? EXIT_UNREACHABLE : EXIT_FAILED
}

/** Gives a command and its parts these codes, and says them in their help. */
export function withExitCodes(command: Command): Command {
  command.showHelpAfterError(HINT).exitOverride(exitWithOurCode)
  command.addHelpText('after', EXIT_CODES_TEXT)
  // Commands that are built elsewhere do not inherit it.
  for (const part of command.commands) withExitCodes(part)
  return command
}

/** Commander exits with 1 for every error, and with 0 after --help. */
function exitWithOurCode({ exitCode }: CommanderError): never {
  process.exit(exitCode === 0 ? 0 : EXIT_WRONG_USE)
}
