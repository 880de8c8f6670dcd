/** Whether each day of an import is whole, as the ledger knows after all of its files. */
import type { Pool } from '#core/node/pool.ts'
import { addDays, type Day, dayRange, toIso } from '#core/time.ts'
import { missingBetween } from '../facts/cadence.ts'
import { clockOf, missingText } from './findings.ts'
import type { FileResult } from './results.ts'
import { type FactFile, isFactFile, type RawFile, type SourceFile } from './kind.ts'

export interface DaySummary {
  readonly day: Day
  /** `BTCUSDT aggTrades: 5 ids are missing in one place`; empty: the day is whole. */
  readonly problems: readonly string[]
  readonly stream_count: number
}

interface Gap {
  readonly from_ts: number
  readonly from_id: number | null
  readonly to_id: number | null
}

/** One entry a day, oldest first. */
export async function summarizeDays(
  pool: Pool,
  results: readonly FileResult[],
): Promise<readonly DaySummary[]> {
  const by_day = Map.groupBy(
    results.flatMap((result) => daysOf(result.file).map((day) => ({ day, result }))),
    ({ day }) => day,
  )
  const summaries: DaySummary[] = []
  for (const [day, found] of [...by_day].toSorted(([left], [right]) => (left < right ? -1 : 1))) {
    const problems: string[] = []
    for (const { result } of found) {
      const problem = await problemOf(pool, result, day)
      if (problem === undefined) continue
      problems.push(`${result.file.symbol} ${result.file.kind.name}: ${problem}`)
    }
    summaries.push({ day, problems, stream_count: found.length })
  }
  return summaries
}

function daysOf({ from, to }: SourceFile): readonly Day[] {
  const days: Day[] = []
  for (let day = from; day < to; day = addDays(day, 1)) days.push(day)
  return days
}

async function problemOf(pool: Pool, result: FileResult, day: Day): Promise<string | undefined> {
  const { file } = result
  switch (result.kind) {
    case 'absent':
      return result.day === 'early' ? 'the source has no file yet' : 'the source has no file'
    case 'failed':
      return 'its file was not imported'
    case 'known':
    case 'imported': {
      const gaps = isFactFile(file)
        ? await selectMissing(pool, file, day)
        : await selectGaps(pool, file, day)
      if (gaps.length > 0) return missingText(gaps, (ts) => clockOf(ts, false))
      return unreadable(pool, file)
    }
  }
}

async function selectGaps(
  pool: Pool,
  { exchange, symbol, kind }: RawFile,
  day: Day,
): Promise<readonly Gap[]> {
  const { from, to } = dayRange(day)
  const { rows } = await pool.query<Gap>(
    `select greatest((extract(epoch from from_ts) * 1000000)::float8, $5) as from_ts,
       from_id::float8 as from_id, to_id::float8 as to_id
     from marketdata.gaps g join marketdata.symbols s on s.id = g.symbol_id
     where s.exchange = $1 and s.symbol = $2 and g.channel = $3 and g.cause = 'import'
       and g.repaired_at is null and g.from_ts < $4 and g.to_ts > to_timestamp($5 / 1000000)
     order by g.from_ts, g.from_id`,
    [exchange, symbol, kind.table, toIso(to), from],
  )
  return rows
}

async function selectMissing(
  pool: Pool,
  { exchange, symbol, kind }: FactFile,
  day: Day,
): Promise<readonly Gap[]> {
  const { from, to } = dayRange(day)
  const { interval_s } = kind.cadence
  const of_interval = interval_s === undefined ? '' : ` and interval_s = ${interval_s}`
  const { rows } = await pool.query<{ ts: number }>(
    `select distinct (extract(epoch from ts_exchange) * 1000000)::float8 as ts
     from marketdata.${kind.facts.name} f join marketdata.symbols s on s.id = f.symbol_id
     where s.exchange = $1 and s.symbol = $2 and ts_exchange >= $3 and ts_exchange < $4
       ${of_interval} order by ts`,
    [exchange, symbol, toIso(from), toIso(to)],
  )
  const times = Float64Array.from(rows, ({ ts }) => ts)
  return missingBetween(kind.cadence, { from, to }, times)
}

async function unreadable(pool: Pool, { path }: SourceFile): Promise<string | undefined> {
  const { rows } = await pool.query<{ rejected_count: string }>(
    'select rejected_count from marketdata.imports where file = $1 and rejected_count > 0',
    [path],
  )
  return rows[0] && `${rows[0].rejected_count} lines cannot be read`
}
