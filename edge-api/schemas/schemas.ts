/**
 * Answers of the routes as zod schemas: types for the code, OpenAPI for the docs. Pages of rows are
 * in row-schema.ts.
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
      .array(
        z
          .object({ parameter: z.string(), found: z.string().nullable(), allowed: z.string() })
          .openapi('ParameterProblem'),
      )
      .optional()
      .openapi({ description: 'The parameters that were refused, and what is allowed.' }),
  })
  .openapi('Problem', { description: 'RFC 9457 problem document.' })

const timeSource = z.enum(TIME_SOURCES).optional()

const TimeSources = z
  .object(
    Object.fromEntries(TIMED_KINDS.map((kind) => [kind, timeSource])) as {
      readonly [kind in TimedKind]: typeof timeSource
    },
  )
  .openapi('TimeSources', {
    description:
      'Source of ts_exchange, for each kind of row. engine: time of the matching engine. ' +
      'event: time at which the exchange sent the event. receive: time at which we received it, ' +
      'because the exchange gives no time. stream: time at which we received it, corrected to ' +
      'the clock of the preceding updates. A kind that the exchange does not provide is absent.',
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
    ts_exchange_source: TimeSources,
  })
  .openapi('Symbol')

export const SymbolList = z.object({ symbols: z.array(SymbolItem) }).openapi('SymbolList')

const SearchResult = z
  .object({
    ...SymbolItem.shape,
    matches: z.enum(['symbol', 'base_asset']).openapi({ description: 'What begins with `q`.' }),
  })
  .openapi('SearchResult')

export const SearchResults = z
  .object({ q: z.string(), symbols: z.array(SearchResult) })
  .openapi('SearchResults')

export const LatestQuote = z
  .object({
    ...instrument,
    age_ms: count.openapi({ description: 'Time since ts_exchange, by our clock [ms].' }),
    max_age_s: count
      .optional()
      .openapi({ description: 'max_age_s of the request, if it had one [s].' }),
    ...rowShape(quotes),
  })
  .openapi('LatestQuote')

export const QuoteAt = z
  .object({
    ...instrument,
    age_ms: count.openapi({ description: 'Time from ts_exchange to ts [ms].' }),
    ...rowShape(quotes),
  })
  .openapi('QuoteAt')

const Instrument = z.object(instrument).openapi('Instrument')

export const QuoteList = z
  .object({
    ts: time('The time of the quotes.'),
    max_age_s: count.openapi({ description: 'An older quote is not in `rows` [s].' }),
    row_count: count,
    next: page.next,
    rows: z.array(QuoteAt).openapi({ description: 'By exchange and symbol.' }),
    missing: z.array(Instrument).openapi({
      description: 'Instruments of the request that have no quote. Empty without `symbols`.',
    }),
    unavailable: z.array(Instrument).openapi({
      description: 'Instruments whose quote may be in the database, which does not respond.',
    }),
  })
  .openapi('QuoteList')

const level = z.tuple([
  decimal('price [quote asset]', '61800.20'),
  decimal('quantity [base asset]', '0.500'),
])

export const Book = z
  .object({
    ...instrument,
    ts: time('The requested time.'),
    ts_exchange: time('Time of the newest update in the book.'),
    age_ms: count.openapi({ description: 'Time from ts_exchange to ts [ms].' }),
    max_age_s: count.openapi({
      description: 'The limit for age_ms that applied: an older book is a 404 [s].',
    }),
    update_id: id('Id that the exchange gave the newest update.'),
    bids: z.array(level).openapi({ description: 'Best first.' }),
    asks: z.array(level).openapi({ description: 'Best first.' }),
  })
  .openapi('Book')

const CAUSES =
  'sequence: update ids are missing. disconnect: the socket was down. restart: the ingestor was ' +
  'or is down. silence: the socket was connected but delivered nothing. refused: the exchange ' +
  'refused the subscription. rejected: a frame could not be parsed. tape_full: the tape reached ' +
  "its size limit. tape_cut: part of the ingestor's tape was lost. delisted: the exchange no " +
  'longer lists the symbol. operator: an operator paused recording or excluded the stream; such ' +
  'a gap is not refilled. import: an imported file lacks it.'

const Gap = z
  .object({
    id: z.int(),
    ...instrument,
    channel: z.enum(CHANNELS),
    from_ts: time(
      'ts_exchange of the last event before the gap. If the stream had no events then: the last ' +
        'time at which it was known to work.',
    ),
    to_ts: time('ts_exchange of the first event after the gap; null until it ends.').nullable(),
    from_id: z.int().nullable(),
    to_id: z.int().nullable(),
    cause: z.enum(GAP_CAUSES).openapi({ description: CAUSES }),
    detected_at: time(),
    repaired_count: count.openapi({ description: 'Number of rows refilled.' }),
    repaired_at: time('Null while events in the gap are missing.').nullable(),
    repair_note: z.string().nullable(),
  })
  .openapi('Gap')

export const GapPage = z.object({ ...page, rows: z.array(Gap) }).openapi('GapPage')

const JobRun = z
  .object({
    id: z.int(),
    job: z.string().openapi({ example: 'features' }),
    job_window: z
      .string()
      .openapi({ description: 'What the run processes, such as a day.', example: '2024-08-08' }),
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

export const JobRunLog = z
  .object({
    ...JobRun.shape,
    line_count: count.openapi({ description: 'Number of lines in the whole log.' }),
    log_lines: z.array(z.record(z.string(), z.unknown())).openapi({
      description: 'Each line has ts, level, msg and further fields.',
    }),
  })
  .openapi('JobRunLog')

const StreamCoverage = z
  .object({
    channel: z.enum(CHANNELS),
    hot_first_ts: time('Time of the first row in the database; null if none.').nullable(),
    hot_last_ts: time('Time of the last row in the database; null if none.').nullable(),
    archived_hour_count: count.openapi({
      description: "Number of archived hours of this stream, over the exchange's symbols.",
    }),
    gap_count: count.openapi({ description: 'Number of gaps in the range.' }),
    open_gap_count: count.openapi({ description: 'Gaps whose events are still missing.' }),
    unended_gap_count: count.openapi({
      description: 'Gaps that have not ended: the stream is not being received now.',
    }),
    missing_s: z.number().min(0).openapi({
      description: 'Total time in open gaps, clipped to the range; overlaps count once [s].',
    }),
  })
  .openapi('StreamCoverage')

export const Coverage = z
  .object({ ...instrument, from: page.from, to: page.to, streams: z.array(StreamCoverage) })
  .openapi('Coverage')

const DatasetSummary = z
  .object({
    name: z.string().openapi({ example: 'features_1s' }),
    schema_version: z.int(),
    date_count: count,
    first_date: z.string(),
    last_date: z.string(),
  })
  .openapi('DatasetSummary')

export const DatasetList = z
  .object({ datasets: z.array(DatasetSummary).readonly() })
  .openapi('DatasetList')

export const DatasetDates = z
  .object({
    name: z.string(),
    latest_date: z
      .string()
      .nullable()
      .openapi({
        description:
          'The date that `yesterday` refers to: the newest complete day, or the newest day if ' +
          'none is complete.',
      }),
    dates: z
      .array(z.object({ date: z.string(), schema_version: z.int() }).openapi('DatasetVersion'))
      .readonly(),
  })
  .openapi('DatasetDates')

const SignedFile = z
  .object({
    ...DatasetFile.shape,
    url: z.url().openapi({
      description: 'Signed URL; works without credentials until expires_at.',
    }),
  })
  .openapi('SignedFile')

export const DatasetDate = z
  .object({
    ...manifestShape,
    files: z.array(SignedFile),
    expires_at: time('When the URLs expire.'),
  })
  .openapi('DatasetDate')

export const Health = z
  .object({
    status: z.literal('ok'),
    newest_quote: z
      .object({ ts_exchange: time(), age_ms: count })
      .nullable()
      .openapi({ description: 'Null if no quote was recorded in the last 24 hours.' }),
  })
  .openapi('Health')

export const Index = z
  .object({
    name: z.literal('booktape'),
    exchanges: z
      .array(
        z
          .object({ exchange: z.string(), symbol_count: count, active_count: count })
          .openapi('ExchangeCounts'),
      )
      .nullable()
      .openapi({ description: 'Instruments that each exchange lists, and those that it trades.' }),
    first_hour: time('Start of the first hour that was recorded.').nullable(),
    newest_quote: time('Time of the newest quote of the last 24 hours.').nullable(),
    datasets: z.array(DatasetSummary).nullable(),
    links: z.record(z.string(), z.string()),
  })
  .openapi('Index')
