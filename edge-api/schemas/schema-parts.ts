/** Parts that the schemas of several answers are made of. */
import { z } from '@hono/zod-openapi'

export const time = (description?: string) =>
  z.string().openapi({
    format: 'date-time',
    example: '2024-08-08T23:54:16.313000Z',
    ...(description === undefined ? {} : { description }),
  })

export const decimal = (description: string, example: string) =>
  z
    .string()
    .regex(/^-?\d+(\.\d+)?$/)
    .openapi({
      description: `${description}, decimal text with the exchange's own decimals`,
      example,
    })

export const id = (description: string) => z.int().openapi({ description })
export const count = z.int().min(0)

export const instrumentShape = { exchange: z.string(), symbol: z.string() }

/** The frame of every answer that is a range of rows in order. */
export const pageShape = {
  from: time('First moment of the range.'),
  to: time('End of the range, not itself in it.'),
  row_count: count,
  next: z.string().nullable().openapi({
    description: 'Path of the next page; null where the range ends. Stable while data arrives.',
  }),
}
