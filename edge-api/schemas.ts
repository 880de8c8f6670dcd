/**
 * What the routes answer, as zod schemas: types for the code and OpenAPI for the docs. Names,
 * units and descriptions of row fields come from core/tables.ts.
 */
import { z } from '@hono/zod-openapi'
import { CHANNELS, GAP_CAUSES } from '#core/market.ts'
import { book_ticker, trades, type Table } from '#core/tables.ts'
import { DatasetFile, manifestShape } from './dataset-schema.ts'

const describe = (table: Table, name: string): string => {
  const column = table.columns.find((c) => c.name === name)!
  return `${column.description} [${column.unit}]`
}
const time = (description?: string) =>
  z.string().openapi({
    format: 'date-time',
    example: '2024-08-08T23:54:16.313000Z',
    ...(description === undefined ? {} : { description }),
  })
const decimal = (description: string, example: string) =>
  z
    .string()
    .regex(/^-?\d+(\.\d+)?$/)
    .openapi({
      description: `${description}, decimal text with the exchange's own decimals`,
      example,
    })
const id = (description: string) => z.int().openapi({ description })
const count = z.int().min(0)

export const ProblemDocument = z
  .object({
    type: z.string().openapi({ example: 'urn:booktape:problem:bad_parameter' }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string().openapi({ description: 'Path of the request.' }),
    errors: z
      .array(z.object({ parameter: z.string(), found: z.string().nullable(), allowed: z.string() }))
      .optional()
      .openapi({ description: 'The parameters that are not allowed, with what is.' }),
  })
  .openapi('Problem', { description: 'RFC 9457 problem document.' })

const SymbolItem = z
  .object({
    exchange: z.string().openapi({ example: 'binance-futures' }),
    symbol: z.string().openapi({ example: 'BTCUSDT' }),
    instrument_type: z.enum(['perp', 'future', 'spot']).nullable(),
    base_asset: z.string().nullable(),
    quote_asset: z.string().nullable(),
    is_active: z.boolean(),
    tick_size: decimal('Smallest price step [quote asset]', '0.10').nullable(),
    step_size: decimal('Smallest quantity step [base asset]', '0.001').nullable(),
  })
  .openapi('Symbol')

export const SymbolList = z.object({ symbols: z.array(SymbolItem) }).openapi('SymbolList')

const quote = (name: string, example: string) => decimal(describe(book_ticker, name), example)

const quoteShape = {
  ts_exchange: time(describe(book_ticker, 'ts_exchange')),
  ts_ingest: time(describe(book_ticker, 'ts_ingest')),
  update_id: id(describe(book_ticker, 'update_id')),
  best_bid: quote('best_bid', '61800.20'),
  best_ask: quote('best_ask', '61800.30'),
  bid_qty: quote('bid_qty', '0.500'),
  ask_qty: quote('ask_qty', '12.041'),
  spread: decimal('best_ask - best_bid [quote asset]', '0.10'),
  mid: decimal('(best_ask + best_bid) / 2 [quote asset], one decimal more', '61800.250'),
}

const Quote = z.object(quoteShape).openapi('Quote')

const instrument = { exchange: z.string(), symbol: z.string() }

export const LatestQuote = z
  .object({
    ...instrument,
    age_ms: count.openapi({ description: 'Time since ts_exchange, by our clock [ms].' }),
    ...quoteShape,
  })
  .openapi('LatestQuote')

const trade = (name: string, example: string) => decimal(describe(trades, name), example)

const Trade = z
  .object({
    ts_exchange: time(describe(trades, 'ts_exchange')),
    ts_ingest: time(describe(trades, 'ts_ingest')),
    agg_trade_id: id(describe(trades, 'agg_trade_id')),
    price: trade('price', '61800.20'),
    qty: trade('qty', '0.005'),
    non_rpi_qty: trade('non_rpi_qty', '0.005').nullable(),
    first_trade_id: id(describe(trades, 'first_trade_id')).nullable(),
    last_trade_id: id(describe(trades, 'last_trade_id')).nullable(),
    is_buyer_maker: z.boolean().openapi({ description: describe(trades, 'is_buyer_maker') }),
  })
  .openapi('Trade')

/** The frame of every answer that is a range of rows in order. */
const page = {
  from: time('First moment of the range.'),
  to: time('End of the range, not itself in it.'),
  row_count: count,
  next: z.string().nullable().openapi({
    description: 'Path of the next page; null where the range ends. Stable while data arrives.',
  }),
}

export const QuotePage = z
  .object({ ...instrument, ...page, rows: z.array(Quote) })
  .openapi('QuotePage')
export const TradePage = z
  .object({ ...instrument, ...page, rows: z.array(Trade) })
  .openapi('TradePage')

const Gap = z
  .object({
    id: z.int(),
    ...instrument,
    channel: z.enum(CHANNELS),
    from_ts: time('ts_exchange of the last event before the hole.'),
    to_ts: time('ts_exchange of the first event after it.'),
    from_id: z.int().nullable(),
    to_id: z.int().nullable(),
    cause: z.enum(GAP_CAUSES),
    detected_at: time(),
    repaired_count: count.openapi({ description: 'Rows refilled.' }),
    repaired_at: time('Null while the hole is open.').nullable(),
    repair_note: z.string().nullable(),
  })
  .openapi('Gap')

export const GapPage = z.object({ ...page, rows: z.array(Gap) }).openapi('GapPage')

const JobRun = z
  .object({
    id: z.int(),
    job: z.string().openapi({ example: 'features' }),
    job_window: z.string().openapi({ description: 'What the run was for.', example: '2024-08-08' }),
    status: z.enum(['running', 'done', 'failed']),
    attempt: z.int(),
    started_at: time(),
    finished_at: time().nullable(),
    row_count: count.nullable(),
    byte_count: count.nullable(),
    error: z.string().nullable(),
  })
  .openapi('JobRun')

export const JobRunList = z.object({ runs: z.array(JobRun) }).openapi('JobRunList')

export const DatasetList = z
  .object({
    datasets: z
      .array(
        z.object({
          name: z.string().openapi({ example: 'features_1s' }),
          schema_version: z.int(),
          date_count: count,
          first_date: z.string(),
          last_date: z.string(),
        }),
      )
      .readonly(),
  })
  .openapi('DatasetList')

export const DatasetDates = z
  .object({
    name: z.string(),
    latest_date: z.string().nullable().openapi({
      description:
        'What `yesterday` means: the newest day that is over, until there is one the newest.',
    }),
    dates: z.array(z.object({ date: z.string(), schema_version: z.int() })).readonly(),
  })
  .openapi('DatasetDates')

export const DatasetDate = z
  .object({
    ...manifestShape,
    files: z.array(
      DatasetFile.extend({
        url: z.url().openapi({ description: 'Signed; needs no credentials until expires_at.' }),
      }),
    ),
    expires_at: time('When the URLs end.'),
  })
  .openapi('DatasetDate')

export const Health = z
  .object({
    status: z.literal('ok'),
    newest_quote: z
      .object({ ts_exchange: time(), age_ms: count })
      .nullable()
      .openapi({ description: 'Null where no quote was recorded in the last 24 hours.' }),
  })
  .openapi('Health')

export const Index = z
  .object({ name: z.literal('booktape'), links: z.record(z.string(), z.string()) })
  .openapi('Index')
