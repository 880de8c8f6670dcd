/** Parts that several answer schemas share. */
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
      description: `${description}; a decimal string with the exchange's number of decimals`,
      example,
    })

export const id = (description: string) => z.int().openapi({ description })
export const count = z.int().min(0)

export const instrumentShape = { exchange: z.string(), symbol: z.string() }

/** Fields of every page of rows, besides the rows. */
export const pageShape = {
  from: time('Start of the range, inclusive.'),
  to: time('End of the range, exclusive.'),
  row_count: count,
  next: z
    .string()
    .nullable()
    .openapi({
      description:
        'Path of the next page; null on the last page. Rows that arrive between two requests cause ' +
        'no duplicates and no omissions.',
    }),
}
