/** Text that Postgres cannot store: U+0000, and half a surrogate pair, which is not UTF-8. */
import { OperatorError } from '#core/errors.ts'

/** The fault of the record's first text that cannot be stored; undefined if there is none. */
export function textFault(record: object): OperatorError | undefined {
  for (const [name, value] of Object.entries(record)) {
    if (typeof value !== 'string') continue
    if (value.includes('\0')) return unstorable(name, 'contains the character U+0000')
    if (!value.isWellFormed()) return unstorable(name, 'contains half of a surrogate pair')
  }
  return undefined
}

/** Replaces what Postgres cannot store with U+FFFD. */
export function storableText(text: string): string {
  return text.replaceAll('\0', '\uFFFD').toWellFormed()
}

function unstorable(name: string, what: string): OperatorError {
  return new OperatorError('text_unstorable', `${name} ${what}, which Postgres cannot store.`)
}
