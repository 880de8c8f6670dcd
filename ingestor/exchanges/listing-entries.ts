/** Turns listing entries into instruments, or into a reason why they cannot be recorded. */
import { isSymbolName, SYMBOL_RULE, type Instrument } from '#core/symbols.ts'
import type { LeftOut, ParsedListing } from './adapter.ts'
import { type Fields, isFields, positiveField, Rejection, show } from './fields.ts'

/** `read` throws a Rejection for an entry that cannot be used. */
export function readEntries(
  entries: readonly unknown[],
  nameOf: (entry: unknown) => unknown,
  read: (entry: Fields, symbol: string) => Instrument,
): ParsedListing {
  const instruments: Instrument[] = []
  const left_out: LeftOut[] = []
  for (const entry of entries) {
    const name = nameOf(entry)
    try {
      if (typeof name !== 'string') throw new Rejection('bad_field', 'it has no name')
      if (!isSymbolName(name)) throw new Rejection('bad_symbol', `names are ${SYMBOL_RULE}`)
      instruments.push(read(isFields(entry) ? entry : {}, name))
    } catch (error) {
      if (!(error instanceof Rejection)) throw error
      left_out.push({ name: typeof name === 'string' ? name : show(name), reason: error.detail })
    }
  }
  return { instruments, left_out }
}

/** A text field of an entry. */
export function entryText(entry: Fields, name: string): string {
  const value = entry[name]
  if (typeof value === 'string') return value
  throw new Rejection('bad_field', `${name}: expected a text, found ${show(value)}`)
}

/** A price or quantity step of an entry's filter. */
export function entryStep(filter: unknown, name: string): number {
  if (isFields(filter)) return positiveField(filter, name)
  throw new Rejection('bad_field', `${name}: no filter has it`)
}
