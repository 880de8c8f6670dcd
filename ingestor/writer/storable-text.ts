/** Text that Postgres cannot keep: it has no U+0000, and half of a surrogate pair is no UTF-8. */
import { OperatorError } from '#core/errors.ts'

/** What is wrong with the first such text of the record; undefined where all can be kept. */
export function textFault(record: object): OperatorError | undefined {
  for (const [name, value] of Object.entries(record)) {
    if (typeof value !== 'string') continue
    if (value.includes('\0')) return unstorable(name, 'has the character U+0000')
    if (!value.isWellFormed()) return unstorable(name, 'has half of a surrogate pair')
  }
  return undefined
}

/** The text with what Postgres cannot keep replaced by U+FFFD. */
export function storableText(text: string): string {
  return text.replaceAll('\0', '\uFFFD').toWellFormed()
}

function unstorable(name: string, what: string): OperatorError {
  return new OperatorError('text_unstorable', `${name} ${what}, which Postgres cannot keep.`)
}
