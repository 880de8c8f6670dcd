/**
 * Parameters and answers of /prices, in the format of the price tracker, for its existing callers:
 * times are milliseconds, prices are JSON numbers, a wrong parameter is a 422 with a list, and
 * unknown parameters are ignored.
 */
import { z } from '@hono/zod-openapi'

const TICKER_CHARS_MIN = 3
const TICKER_CHARS_MAX = 64
const PAGE_MAX = 1_000
const PAGE_DEFAULT = 100
const SKIP_MAX = 1_000_000
export const FILTER_MAX = 10_000
/** 2199-12-31T23:59:59.999Z. Nothing is stored with a later time. */
const TIME_MS_MAX = 7_258_118_399_999

const ticker = z
  .string()
  .min(TICKER_CHARS_MIN)
  .max(TICKER_CHARS_MAX)
  // Postgres cannot store a zero byte in text.
  .refine((text) => !text.includes('\0'), { error: 'must not contain a zero byte' })
  .openapi({ description: 'Name of the index.', example: 'btc_usd' })

/** An integer in decimal digits. */
const whole = (minimum: number, maximum: number) =>
  z
    .string()
    .regex(/^-?\d{1,16}$/)
    .transform(Number)
    .pipe(z.int().min(minimum).max(maximum))

const timeMs = (description: string) =>
  whole(0, TIME_MS_MAX)
    .optional()
    .openapi({ type: 'integer', minimum: 0, description, example: 1_768_768_200_000 })

export const tickerQuery = z.object({ ticker })

export const pricesQuery = z.object({
  ticker,
  skip: whole(0, SKIP_MAX)
    .default(0)
    .openapi({ type: 'integer', minimum: 0, maximum: SKIP_MAX, default: 0 }),
  limit: whole(1, PAGE_MAX)
    .default(PAGE_DEFAULT)
    .openapi({ type: 'integer', minimum: 1, maximum: PAGE_MAX, default: PAGE_DEFAULT }),
})

export const filterQuery = z.object({
  ticker,
  start: timeMs('Start of the range, inclusive [ms since 1970].'),
  end: timeMs('End of the range, inclusive [ms since 1970].'),
})

const priceShape = {
  id: z.int(),
  ticker: z.string(),
  price: z
    .number()
    .openapi({ description: 'Value of the index [quote asset].', example: 95413.23 }),
  timestamp: z.int().openapi({
    description: 'Time that the exchange gave [ms since 1970].',
    example: 1_768_768_182_422,
  }),
  created_at: z.string().openapi({
    format: 'date-time',
    description: 'When the row was written.',
    example: '2026-01-18T20:29:43.530431+00:00',
  }),
}

export const IndexPrice = z.object(priceShape).openapi('IndexPrice')

const list = { data: z.array(IndexPrice), count: z.int().min(0), ticker: z.string() }

export const IndexPriceList = z.object(list).openapi('IndexPriceList')

export const IndexPriceRange = z
  .object({ ...list, start: z.int().nullable(), end: z.int().nullable() })
  .openapi('IndexPriceRange')

export const IndexPriceStats = z
  .object({
    count: z.int().min(0),
    min_price: z.number().nullable(),
    max_price: z.number().nullable(),
    avg_price: z.number().nullable(),
    first_timestamp: z.int().nullable(),
    last_timestamp: z.int().nullable(),
  })
  .openapi('IndexPriceStats')

export const Tickers = z.array(z.string())

export const ParameterErrors = z
  .object({
    detail: z.array(
      z
        .object({
          type: z.string().openapi({ example: 'missing' }),
          loc: z.array(z.string()).openapi({ example: ['query', 'ticker'] }),
          msg: z.string(),
          input: z.string().nullable(),
        })
        .openapi('ParameterError'),
    ),
  })
  .openapi('ParameterErrors', { description: 'The parameters that are not allowed.' })
