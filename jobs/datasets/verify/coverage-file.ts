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

export async function checkCoverage(
  pool: Pool,
  path: string,
  { name, row_count }: CheckedFile,
  { coverage, date, complete }: CheckedManifest,
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
  const newest = coverage.map(({ to_ts }) => to_ts).reduce((a, b) => (a > b ? a : b), '')
  const ledger = await selectLedger(pool, date as Day, complete ? undefined : newest)
  checkLedger(ledger, complete, rows, (sentence) => report(name, sentence))
}

interface LedgerGap {
  readonly stream: string
  /** Microseconds since 1970. */
  readonly from_ts: string
  /** Null: it has not ended. */
  readonly to_ts: string | null
  readonly cause: string
  readonly repaired: boolean
  /** It was noticed after the newest second of an unfinished day, so the build may lack it. */
  readonly is_later: boolean
}

async function selectLedger(
  pool: Pool,
  date: Day,
  newest: string | undefined,
): Promise<readonly LedgerGap[]> {
  const { from, to } = dayRange(date)
  const { rows } = await pool.query<LedgerGap>(
    `select s.exchange || ' ' || s.symbol || ' ' || g.channel as stream,
       (extract(epoch from g.from_ts) * 1000000)::bigint::text as from_ts,
       (extract(epoch from g.to_ts) * 1000000)::bigint::text as to_ts, g.cause,
       g.repaired_at is not null as repaired, coalesce(g.detected_at > $3, false) as is_later
     from marketdata.gap_ledger g join marketdata.symbols s on s.id = g.symbol_id
     where (g.to_ts is null or g.to_ts >= $1) and g.from_ts < $2`,
    [toIso(from), toIso(to), newest ?? null],
  )
  return rows
}

/** The ledger of an unfinished day goes on: gaps end, are repaired, and new ones are noticed. */
function checkLedger(
  ledger: readonly LedgerGap[],
  complete: boolean,
  rows: readonly CoverageRow[],
  report: (sentence: string) => void,
): void {
  const in_ledger = Map.groupBy(ledger, ({ stream }) => stream)
  const isSame = (gap: CoverageRow['gaps'][number], known: LedgerGap): boolean =>
    String(gap.from_ts) === known.from_ts &&
    gap.cause === known.cause &&
    ((gap.to_ts === null && !complete) || (gap.to_ts?.toString() ?? null) === known.to_ts) &&
    (gap.repaired === known.repaired || (!gap.repaired && !complete))
  for (const { exchange, symbol, channel, gaps } of rows) {
    const lacking = [...(in_ledger.get(`${exchange} ${symbol} ${channel}`) ?? [])]
    const unknown = gaps.filter((gap) => {
      const place = lacking.findIndex((known) => isSame(gap, known))
      if (place >= 0) lacking.splice(place, 1)
      return place < 0
    })
    for (const gap of lacking.filter(({ is_later }) => !is_later)) {
      report(`${symbol}, ${channel}: it lacks a gap of the ledger (${textOf(gap)}).`)
    }
    for (const gap of unknown) {
      report(`${symbol}, ${channel}: it has a gap that the ledger lacks (${textOf(gap)}).`)
    }
  }
}

function textOf(gap: {
  readonly from_ts: bigint | string
  readonly to_ts: bigint | string | null
  readonly cause: string
  readonly repaired: boolean
}): string {
  const state = gap.repaired ? 'repaired' : 'open'
  return [gap.from_ts, gap.to_ts ?? 'open', gap.cause, state].join(' ')
}
