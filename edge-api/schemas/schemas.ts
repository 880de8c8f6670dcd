/**
 * What the routes answer, as zod schemas: types for the code and OpenAPI for the docs. Ranges of
 * rows are described by row-schema.ts.
 */
import { z } from '@hono/zod-openapi'
import { CHANNELS, GAP_CAUSES } from '#core/market.ts'
import { TIME_SOURCES, TIMED_KINDS, type TimedKind } from '#core/time-source.ts'
import { quotes } from '../tables/tables.ts'
import { DatasetFile, manifestShape } from './dataset-schema.ts'
import { rowShape } from './row-schema.ts'
import {
  count,
  decimal,
  id,
  instrumentShape as instrument,
  pageShape as page,
  time,
} from './schema-parts.ts'

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

const timeSource = z.enum(TIME_SOURCES).optional()

const timeSources = z
  .object(
    Object.fromEntries(TIMED_KINDS.map((kind) => [kind, timeSource])) as {
      readonly [kind in TimedKind]: typeof timeSource
    },
  )
  .openapi({
    description:
      "Where ts_exchange comes from, per kind of row: the matching engine (engine), the exchange's sending (event), our receiving it (receive: the exchange says no time), or our receiving it by the clock that the changes before it show (stream). A kind that the exchange does not bring is absent.",
    example: { book_ticker: 'receive', trades: 'engine' },
  })

const SymbolItem = z
  .object({
    exchange: z.string().openapi({ example: 'binance-futures' }),
    symbol: z.string().openapi({ example: 'BTCUSDT' }),
    instrument_type: z.enum(['perp', 'future', 'spot', 'index']).nullable(),
    base_asset: z.string().nullable(),
    quote_asset: z.string().nullable(),
    is_active: z.boolean(),
    tick_size: decimal('Smallest price step [quote asset]', '0.10').nullable(),
    step_size: decimal('Smallest quantity step [base asset]', '0.001').nullable(),
    ts_exchange_source: timeSources,
  })
  .openapi('Symbol')

export const SymbolList = z.object({ symbols: z.array(SymbolItem) }).openapi('SymbolList')

export const LatestQuote = z
  .object({
    ...instrument,
    age_ms: count.openapi({ description: 'Time since ts_exchange, by our clock [ms].' }),
    max_age_s: count
      .optional()
      .openapi({ description: 'Where the request named it: an older one is a 404 [s].' }),
    ...rowShape(quotes),
  })
  .openapi('LatestQuote')

const level = z.tuple([
  decimal('price [quote asset]', '61800.20'),
  decimal('quantity [base asset]', '0.500'),
])

export const Book = z
  .object({
    ...instrument,
    ts: time('The moment that was asked for.'),
    ts_exchange: time('When the newest change in the book was made.'),
    age_ms: count.openapi({ description: 'From ts_exchange to that moment [ms].' }),
    max_age_s: count.openapi({ description: 'Where it were older, there would be no book [s].' }),
    update_id: id("The exchange's id of that change."),
    bids: z.array(level).openapi({ description: 'Best first.' }),
    asks: z.array(level).openapi({ description: 'Best first.' }),
  })
  .openapi('Book')

const CAUSES =
  'sequence: ids jumped. disconnect: the socket was down. restart: the ingestor was down, or is. ' +
  'silence: connected, and nothing was delivered. refused: the exchange refuses the subscription. ' +
  'rejected: a frame could not be read. tape_full, tape_cut: the disk of the ingestor. ' +
  'delisted: no longer listed. operator: an operator paused the recording or left the stream out; ' +
  'what was missed is not refilled.'

const Gap = z
  .object({
    id: z.int(),
    ...instrument,
    channel: z.enum(CHANNELS),
    from_ts: time(
      'ts_exchange of the last event before the hole; of a stream that was quiet then, up to when it was certainly heard.',
    ),
    to_ts: time('ts_exchange of the first event after it; null while it has not ended.').nullable(),
    from_id: z.int().nullable(),
    to_id: z.int().nullable(),
    cause: z.enum(GAP_CAUSES).openapi({ description: CAUSES }),
    detected_at: time(),
    repaired_count: count.openapi({ description: 'Rows refilled.' }),
    repaired_at: time('Null while events of the hole are missing.').nullable(),
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

export const JobRunLog = JobRun.extend({
  line_count: count.openapi({ description: 'Lines of the whole log.' }),
  log_lines: z.array(z.record(z.string(), z.unknown())).openapi({
    description: 'Each with ts, level, msg and facts.',
  }),
}).openapi('JobRunLog')

export const Coverage = z
  .object({
    ...instrument,
    from: page.from,
    to: page.to,
    streams: z.array(
      z.object({
        channel: z.enum(CHANNELS),
        hot_first_ts: time('First row in the database; null where there is none.').nullable(),
        hot_last_ts: time('Last row in the database.').nullable(),
        archived_hour_count: count.openapi({
          description: "Hours of the exchange's stream that lie in the archive.",
        }),
        gap_count: count,
        open_gap_count: count.openapi({ description: 'Of them, those whose events are missing.' }),
        unended_gap_count: count.openapi({
          description: 'Of them, those that have not ended: the stream is not heard at the moment.',
        }),
        missing_s: z.number().min(0).openapi({ description: 'Seconds in open holes [s].' }),
      }),
    ),
  })
  .openapi('Coverage')

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
