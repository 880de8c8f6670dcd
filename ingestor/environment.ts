/** Kinds of values that variables of the environment have. */
import { z } from 'zod'

/** A whole number in decimal digits. */
export const whole = (minimum: number, maximum: number, standard: number) => {
  const error = `must be a whole number from ${minimum} to ${maximum}`
  return z
    .string({ error })
    .regex(/^\d{1,16}$/, { error })
    .transform(Number)
    .refine((value) => value >= minimum && value <= maximum, { error })
    .default(standard)
}

/** A comma list without repetitions. */
export const list = (text: string): readonly string[] => [
  ...new Set(
    text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== ''),
  ),
]
