/** Option parsers that several commands share. */
import { type Command, InvalidArgumentError } from 'commander'
import { OperatorError } from '#core/errors.ts'

/** Of commands that the console can carry out elsewhere. */
export interface ConsoleFlags {
  readonly server?: string
  readonly token?: string
}

export function withConsoleOptions(command: Command): Command {
  return command
    .option('--server <url>', 'the console of the installation that is meant')
    .option('--token <token>', 'of that console (BOOKTAPE_TOKEN)')
}

/** Parses a disk size in GB, such as 2, 0.5 or 0. */
export function gigabytes(text: string): number {
  const value = Number(text)
  if (!/^\d+(\.\d+)?$/.test(text) || value > 100_000) {
    throw new InvalidArgumentError('Expected gigabytes from 0 to 100000, such as 2 or 0.5.')
  }
  return value
}

/** Returns a parser for whole numbers from min to max. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < min || value > max) {
      throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`)
    }
    return value
  }
}

/** DATABASE_URL from the environment. Throws OperatorError `no_database_url` if it is not a URL. */
export function databaseUrl(): string {
  const database_url = process.env['DATABASE_URL']
  if (database_url !== undefined && URL.canParse(database_url)) return database_url
  throw new OperatorError('no_database_url', 'DATABASE_URL is not set to a URL.', {
    hint:
      'Set it to postgres://user:password@host:5432/database. ' +
      '(`npm start` migrates its own database.)',
  })
}

/** Returns a parser for a comma list of these words, each once. */
export function listOf<Word extends string>(words: readonly Word[]): (text: string) => Word[] {
  const isWord = (name: string): name is Word => words.some((word) => word === name)
  return (text) => {
    const names = text.split(',').map((name) => name.trim())
    if (names.every(isWord)) return [...new Set(names)]
    throw new InvalidArgumentError(`Expected a comma list of ${words.join(', ')}.`)
  }
}
