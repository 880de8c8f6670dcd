/** Event counts of a symbol in each minute of the last hour, from the one-second rollups. */
import type { Pool } from '#core/node/pool.ts'
import type { SymbolDetail } from '../wire.ts'
import { select } from './read.ts'

const MINUTES = 60
const MINUTE_MS = 60_000

const ROLLUPS = [
  { channel: 'book_ticker', table: 'bt_1s', counts: 'quote_count' },
  { channel: 'trades', table: 'trade_1s', counts: 'trade_count' },
  { channel: 'depth_events', table: 'depth_1s', counts: 'diff_count' },
] as const

/** Minutes behind the rollups, which follow within a minute, are not known yet. */
export async function selectMinutes(
  pool: Pool,
  exchange: string,
  symbol: string,
  now_ms: number,
): Promise<SymbolDetail['minutes']> {
  const to_ms = Math.floor(now_ms / MINUTE_MS) * MINUTE_MS
  const from_ms = to_ms - MINUTES * MINUTE_MS
  const bounds = [new Date(from_ms).toISOString(), new Date(to_ms).toISOString()]
  const [known] = await select<{ id: string }>(
    pool,
    'select id::text as id from marketdata.symbols where exchange = $1 and symbol = $2',
    [exchange, symbol],
  )
  if (known === undefined) return []
  const found: SymbolDetail['minutes'][number][] = []
  for (const { channel, table, counts } of ROLLUPS) {
    const rows = await select<{ minute: number; n: number }>(
      pool,
      `select (extract(epoch from bucket - $2::timestamptz) / 60)::int as minute, n from (
         select date_trunc('minute', bucket) as bucket, sum(${counts})::float8 as n
         from marketdata.${table}
         where symbol_id = $1 and bucket >= $2::timestamptz and bucket < $3::timestamptz group by 1
       ) minutes`,
      [known.id, ...bounds],
    )
    const [mark] = await select<{ ms: number | null }>(
      pool,
      `select (extract(epoch from max(watermark)) * 1000)::float8 as ms
       from marketdata.rollup_watermarks where rollup = $1`,
      [table],
    )
    const done = Math.floor(((mark?.ms ?? 0) - from_ms) / MINUTE_MS)
    const by_minute = new Map(rows.map(({ minute, n }) => [minute, n]))
    if (rows.length === 0) continue
    // Before the first event the symbol may not have been recorded.
    const first = Math.min(...by_minute.keys())
    const per_minute = Array.from({ length: MINUTES }, (_, i) =>
      i < first || i >= done ? null : (by_minute.get(i) ?? 0),
    )
    found.push({ channel, from: bounds[0]!, counts: per_minute })
  }
  return found
}
