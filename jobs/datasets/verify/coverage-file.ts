/** Compares coverage.parquet with the manifest, and with the gap ledger as it is now. */
import { zstdDecompressSync } from 'node:zlib'
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet'
import { z } from 'zod'
import type { Pool } from '#core/node/pool.ts'
import { DAY_US, dayRange, SECOND_US, toIso, type Day } from '#core/time.ts'
import type { ReportFinding } from './finding.ts'
import type { CheckedFile, CheckedManifest } from './manifest.ts'

const CoverageRow = z.object({
  exchange: z.string(),
  symbol: z.string(),
  channel: z.string(),
  present_s: z.number(),
  missing_s: z.number(),
  gaps: z.array(
    z.object({
      from_ts: z.bigint(),
      /** Null: the gap had not ended. */
      to_ts: z.bigint().nullable(),
      cause: z.string(),
      repaired: z.boolean(),
    }),
  ),
})
type CoverageRow = Readonly<z.output<typeof CoverageRow>>

const DAY_S = DAY_US / SECOND_US
/** Written for the end of a gap that has not ended. */
const OPEN = 'open'

export async function checkCoverage(
  pool: Pool,
  path: string,
  { name, row_count }: CheckedFile,
  { coverage, date }: CheckedManifest,
  report: ReportFinding,
): Promise<void> {
  const objects = await parquetReadObjects({
    file: await asyncBufferFromFile(path),
    compressors: { ZSTD: (bytes) => zstdDecompressSync(bytes) },
    parsers: { timestampFromMicroseconds: (us: bigint) => us },
  })
  const parsed = z.array(CoverageRow).safeParse(objects)
  if (!parsed.success) {
    report(name, `Its columns are not those of coverage: ${z.prettifyError(parsed.error)}`)
    return
  }
  const rows = parsed.data
  if (rows.length !== row_count) {
    report(name, `It has ${rows.length} rows, but the manifest says ${row_count}.`)
  }
  for (const { exchange, symbol, gap_count, present_s } of coverage) {
    const of_symbol = rows.filter((row) => row.exchange === exchange && row.symbol === symbol)
    const found = of_symbol.reduce((sum, { gaps }) => sum + gaps.length, 0)
    if (found !== gap_count) {
      report(name, `${symbol} has ${found} gaps, but the manifest says ${gap_count}.`)
    }
    if (!of_symbol.some((row) => row.present_s === present_s)) {
      report(name, `No stream of ${symbol} has ${present_s} known seconds, as the manifest says.`)
    }
  }
  for (const { symbol, channel, present_s, missing_s } of rows) {
    if (present_s + missing_s === DAY_S) continue
    report(name, `${symbol}, ${channel}: ${present_s} + ${missing_s} seconds are not a day.`)
  }
  await checkLedger(pool, date as Day, rows, (sentence) => report(name, sentence))
}

async function checkLedger(
  pool: Pool,
  date: Day,
  rows: readonly CoverageRow[],
  report: (sentence: string) => void,
): Promise<void> {
  const { from, to } = dayRange(date)
  const { rows: ledger } = await pool.query<{ stream: string; gap: string }>(
    `select s.exchange || ' ' || s.symbol || ' ' || g.channel as stream,
       concat_ws(' ', (extract(epoch from g.from_ts) * 1000000)::bigint,
         coalesce((extract(epoch from g.to_ts) * 1000000)::bigint::text, '${OPEN}'), g.cause,
         case when g.repaired_at is null then 'open' else 'repaired' end) as gap
     from marketdata.gap_ledger g join marketdata.symbols s on s.id = g.symbol_id
     where (g.to_ts is null or g.to_ts >= $1) and g.from_ts < $2`,
    [toIso(from), toIso(to)],
  )
  const in_ledger = Map.groupBy(ledger, ({ stream }) => stream)
  for (const { exchange, symbol, channel, gaps } of rows) {
    const known = (in_ledger.get(`${exchange} ${symbol} ${channel}`) ?? []).map(({ gap }) => gap)
    const reported = gaps.map(({ from_ts, to_ts, cause, repaired }) =>
      [from_ts, to_ts ?? OPEN, cause, repaired ? 'repaired' : 'open'].join(' '),
    )
    for (const gap of differences(known, reported)) {
      report(`${symbol}, ${channel}: it lacks a gap of the ledger (${gap}).`)
    }
    for (const gap of differences(reported, known)) {
      report(`${symbol}, ${channel}: it has a gap that the ledger lacks (${gap}).`)
    }
  }
}

/** Elements of `left` that `right` lacks. Repeated elements are matched one by one. */
function differences(left: readonly string[], right: readonly string[]): readonly string[] {
  const rest = [...right]
  return left.filter((gap) => {
    const place = rest.indexOf(gap)
    if (place >= 0) rest.splice(place, 1)
    return place < 0
  })
}
