/**
 * Environment files as systemd reads them: NAME=VALUE a line, comments on lines of their own, one
 * pair of quotes around a value. (`node --env-file` also takes a # inside a value for a comment.)
 */
import { OperatorError } from '#core/errors.ts'

export type Variables = Readonly<Record<string, string>>

/** `name`: of the file, for messages, which never repeat a value. Errors: bad_environment_file. */
export function parseEnvironmentFile(text: string, name: string): Variables {
  const variables: Record<string, string> = {}
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim()
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue
    const [, key, value] = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/.exec(line) ?? []
    if (key === undefined || value === undefined || /^["'\\]|\\$/.test(value.replace(QUOTED, ''))) {
      throw new OperatorError(
        'bad_environment_file',
        `Line ${index + 1} of ${name} is not NAME=VALUE on one line.`,
        { hint: 'Quote the whole value or nothing, and leave out `export`.' },
      )
    }
    variables[key] = value.replace(QUOTED, '$2')
  }
  return variables
}

/** A value in quotes that has neither the quote nor a backslash in it. */
const QUOTED = /^(["'])([^"'\\]*)\1$/
