/**
 * Describes what a day covers: the manifest's summary per symbol, and coverage.parquet with every
 * gap of every stream.
 */
import type { SchemaElement } from 'hyparquet'
import { GAP_NOTES_MAX, type SymbolCoverage } from '#core/dataset.ts'
import { DAY_US, SECOND_US, micros, toIso } from '#core/time.ts'
import type { StreamCoverage, SymbolSummary } from '../../day/coverage.ts'
import { OPEN_END, type StreamGap } from '../../day/gaps.ts'
import type { FileIdentity } from '../../parquet/identity.ts'
import { createSmallParquet, TEXT, TIMESTAMP_US } from '../../parquet/small-file.ts'

const DAY_S = DAY_US / SECOND_US

/** Rows that a symbol's summary in a manifest counts. */
export interface CoveredRows {
  /** The stream whose seconds are counted as present or missing. */
  readonly channel: 'book_ticker' | 'trades' | 'depth_events'
  readonly row_count: number
}

export function symbolCoverage(
  summary: SymbolSummary,
  { channel, row_count }: CoveredRows = {
    channel: 'book_ticker',
    row_count: summary.grid.row_count,
  },
): SymbolCoverage {
  const { exchange, symbol, grid } = summary
  const { present_s } = streamOf(summary, channel)!
  const gaps = summary.coverage
    .flatMap((stream) => stream.gaps.map((gap) => ({ channel: stream.channel, ...gap })))
    .toSorted((a, b) => a.from_ts - b.from_ts)
  return {
    exchange,
    symbol,
    from_ts: toIso(grid.from),
    to_ts: toIso(micros(grid.from + (grid.row_count - 1) * grid.step_us)),
    row_count,
    present_s,
    missing_s: DAY_S - present_s,
    // 0 if the dataset does not use the stream.
    quote_count: streamOf(summary, 'book_ticker')?.event_count ?? 0,
    trade_count: streamOf(summary, 'trades')?.event_count ?? 0,
    gap_count: gaps.length,
    gaps: gaps.slice(0, GAP_NOTES_MAX).map((gap) => ({
      channel: gap.channel,
      from_ts: toIso(gap.from_ts),
      to_ts: gap.to_ts === OPEN_END ? null : toIso(gap.to_ts),
      cause: gap.cause,
      repaired: gap.repaired,
    })),
  }
}

/** One row per stream, sorted by exchange, symbol and channel. Returns the row count. */
export async function writeCoverage(
  path: string,
  summaries: readonly SymbolSummary[],
  identity: FileIdentity,
): Promise<number> {
  const streams = summaries.flatMap((summary) =>
    summary.coverage.map((stream) => ({ ...summary, ...stream })),
  )
  const file = createSmallParquet(path, COVERAGE_FIELDS, COVERAGE_COLUMN_COUNT, identity)
  await file.write([
    { name: 'exchange', data: streams.map((stream) => stream.exchange) },
    { name: 'symbol', data: streams.map((stream) => stream.symbol) },
    { name: 'channel', data: streams.map((stream) => stream.channel) },
    { name: 'event_count', data: streams.map((stream) => BigInt(stream.event_count)) },
    { name: 'present_s', data: streams.map((stream) => stream.present_s) },
    { name: 'missing_s', data: streams.map((stream) => DAY_S - stream.present_s) },
    { name: 'gaps', data: streams.map((stream) => stream.gaps.map(gapEntry)) },
  ])
  await file.finish()
  return streams.length
}

const REQUIRED = { repetition_type: 'REQUIRED' } as const
const COVERAGE_COLUMN_COUNT = 7
const COVERAGE_FIELDS: readonly SchemaElement[] = [
  { name: 'exchange', ...REQUIRED, ...TEXT },
  { name: 'symbol', ...REQUIRED, ...TEXT },
  { name: 'channel', ...REQUIRED, ...TEXT },
  { name: 'event_count', ...REQUIRED, type: 'INT64' },
  { name: 'present_s', ...REQUIRED, type: 'INT32' },
  { name: 'missing_s', ...REQUIRED, type: 'INT32' },
  {
    name: 'gaps',
    ...REQUIRED,
    num_children: 1,
    converted_type: 'LIST',
    logical_type: { type: 'LIST' },
  },
  { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
  { name: 'element', ...REQUIRED, num_children: 4 },
  { name: 'from_ts', ...REQUIRED, ...TIMESTAMP_US },
  // Null: the gap had not ended when the day was built.
  { name: 'to_ts', repetition_type: 'OPTIONAL', ...TIMESTAMP_US },
  { name: 'cause', ...REQUIRED, ...TEXT },
  { name: 'repaired', ...REQUIRED, type: 'BOOLEAN' },
]

function gapEntry({ from_ts, to_ts, cause, repaired }: StreamGap): Record<string, unknown> {
  const end = to_ts === OPEN_END ? null : BigInt(to_ts)
  return { from_ts: BigInt(from_ts), to_ts: end, cause, repaired }
}

function streamOf(
  summary: SymbolSummary,
  channel: StreamCoverage['channel'],
): StreamCoverage | undefined {
  return summary.coverage.find((stream) => stream.channel === channel)
}
