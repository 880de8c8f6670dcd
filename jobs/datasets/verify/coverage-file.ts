/** coverage.parquet against the manifest, and against what the ledger of gaps says today. */
import { zstdDecompressSync } from 'node:zlib'
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet'
import type { Pool } from '#core/node/pool.ts'
import { DAY_US, dayRange, SECOND_US, toIso, type Day } from '#core/time.ts'
import type { Tell } from './finding.ts'
import type { CheckedFile, CheckedManifest } from './manifest.ts'

interface CoverageRow {
  readonly exchange: string
  readonly symbol: string
  readonly channel: string
  readonly present_s: number
  readonly missing_s: number
  readonly gaps: readonly {
    readonly from_ts: bigint
    /** Null: it had not ended. */
    readonly to_ts: bigint | null
    readonly cause: string
    readonly repaired: boolean
  }[]
}

const DAY_S = DAY_US / SECOND_US
/** The end of a gap that has none. */
const OPEN = 'open'

export async function checkCoverage(
  pool: Pool,
  path: string,
  { name, row_count }: CheckedFile,
  { coverage, date }: CheckedManifest,
  tell: Tell,
): Promise<void> {
  const rows = (await parquetReadObjects({
    file: await asyncBufferFromFile(path),
    compressors: { ZSTD: (bytes) => zstdDecompressSync(bytes) },
    parsers: { timestampFromMicroseconds: (us: bigint) => us } as never,
  })) as unknown as readonly CoverageRow[]
  if (rows.length !== row_count) tell(name, `It has ${rows.length} rows, its manifest says ${row_count}.`)
  for (const { exchange, symbol, gap_count, present_s } of coverage) {
    const of_symbol = rows.filter((row) => row.exchange === exchange && row.symbol === symbol)
    const found = of_symbol.reduce((sum, { gaps }) => sum + gaps.length, 0)
    if (found !== gap_count) tell(name, `${symbol} has ${found} gaps, in the manifest ${gap_count}.`)
    if (!of_symbol.some((row) => row.present_s === present_s)) {
      tell(name, `No stream of ${symbol} has the ${present_s} seconds that the manifest says.`)
    }
  }
  for (const { symbol, channel, present_s, missing_s } of rows) {
    if (present_s + missing_s === DAY_S) continue
    tell(name, `${symbol}, ${channel}: ${present_s} and ${missing_s} seconds are not a day.`)
  }
  await checkLedger(pool, date as Day, rows, (sentence) => tell(name, sentence))
}

async function checkLedger(
  pool: Pool,
  date: Day,
  rows: readonly CoverageRow[],
  tell: (sentence: string) => void,
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
    const told = gaps.map(({ from_ts, to_ts, cause, repaired }) =>
      [from_ts, to_ts ?? OPEN, cause, repaired ? 'repaired' : 'open'].join(' '),
    )
    for (const gap of differences(known, told)) {
      tell(`${symbol}, ${channel}: the ledger has a gap (${gap}) that it does not tell of.`)
    }
    for (const gap of differences(told, known)) {
      tell(`${symbol}, ${channel}: the ledger does not have its gap (${gap}).`)
    }
  }
}

/** Of `left` what `right` has not, each as often as it is too much. */
function differences(left: readonly string[], right: readonly string[]): readonly string[] {
  const rest = [...right]
  return left.filter((gap) => {
    const place = rest.indexOf(gap)
    if (place >= 0) rest.splice(place, 1)
    return place < 0
  })
}
