/** Milliseconds as a number or as text: the documentation shows both for the same field. */
import type { Micros } from '#core/time.ts'
import { type Fields, timeField } from '../fields.ts'

export function millisField(wire: Fields, name: string): Micros {
  const value = wire[name]
  const is_text = typeof value === 'string' && /^\d{1,16}$/.test(value)
  return timeField(is_text ? { [name]: Number(value) } : wire, name)
}
