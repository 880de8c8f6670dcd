/** Parameters of requests, checked: unknown ones are an error. */
import type { Context } from 'hono'
import { z } from 'zod'
import type { DoorEnv } from '#core/node/door/app.ts'
import { badParameters, found } from '#core/problem.ts'
import { type Day, parseDay } from '#core/time.ts'

export const DayText = z
  .string()
  .refine((text) => parseDay(text) !== undefined, { error: 'a day such as 2026-11-20' })
  .transform((text) => text as Day)

/** Errors: Problem 400. */
export function query<Shape extends z.ZodRawShape>(
  c: Context<DoorEnv>,
  shape: Shape,
): z.infer<z.ZodObject<Shape>> {
  return checked(z.strictObject(shape), c.req.query(), Object.keys(shape))
}

/** Parameters of the path. Errors: Problem 400. */
export function checked<T>(schema: z.ZodType<T>, value: unknown, names: readonly string[]): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  throw badParameters(
    result.error.issues.map(({ path, message }) => ({
      parameter: path.join('.') || 'query',
      found: found(String((value as Record<string, unknown>)[String(path[0])] ?? '')),
      allowed: path.length === 0 ? `one of ${names.join(', ') || 'none'}` : message,
    })),
  )
}
