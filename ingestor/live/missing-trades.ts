/** The trade ids in the ledger's gaps, at the position where a feed begins to read. */
import { type Client, type Pool, withClient } from '#core/node/pool.ts'
import { isExchange } from '#core/symbols.ts'
import { micros, toIso } from '#core/time.ts'
import type { Intake } from './intake.ts'

interface GapOfTrades {
  readonly symbol_id: number
  readonly exchange: string
  readonly symbol: string
  readonly from_id: number | null
  readonly to_id: number
  readonly from_ts: string
  readonly to_ts: string
}

/** Only the newest gaps: older ones are rarely refilled. */
const GAPS_MAX = 2_000

/** Notes the ids that no row received before `stamp` has. A REST answer may still bring them. */
export async function noteMissingTrades(pool: Pool, intake: Intake, stamp: number): Promise<void> {
  await withClient(pool, async (client) => {
    const since = toIso(micros(stamp))
    const { rows: gaps } = await client.query<GapOfTrades>(
      `select g.symbol_id::float8 as symbol_id, s.exchange, s.symbol, g.from_id::float8 as from_id,
         g.to_id::float8 as to_id, g.from_ts::text as from_ts, g.to_ts::text as to_ts
       from marketdata.gaps g join marketdata.symbols s on s.id = g.symbol_id
       where g.channel = 'trades' and g.to_id is not null
         and g.cause not in ('delisted', 'operator', 'import')
         and (g.repaired_at is null or g.repaired_at >= $1)
       order by g.detected_at desc limit ${GAPS_MAX}`,
      [since],
    )
    for (const gap of gaps) {
      if (!isExchange(gap.exchange)) continue
      const missing = intake.missing(gap.exchange, gap.symbol)
      missing.addGap(gap.from_id ?? -1, gap.to_id)
      for (const [from, to] of await readKnown(client, gap, since)) missing.remove(from, to)
    }
  })
}

/** Runs of ids in the gap for which rows exist. */
async function readKnown(
  client: Client,
  { symbol_id, from_id, to_id, from_ts, to_ts }: GapOfTrades,
  since: string,
): Promise<readonly (readonly [number, number])[]> {
  const { rows } = await client.query<{ first: number; last: number }>(
    `select min(agg_trade_id)::float8 as first, max(agg_trade_id)::float8 as last
     from (
       select agg_trade_id, agg_trade_id - row_number() over (order by agg_trade_id) as run
       from marketdata.trades
       where symbol_id = $1 and ts_exchange >= $2 and ts_exchange <= $3 and ts_ingest < $4
         and agg_trade_id > $5 and agg_trade_id < $6
     ) ids
     group by run`,
    [symbol_id, from_ts, to_ts, since, from_id ?? -1, to_id],
  )
  return rows.map(({ first, last }) => [first, last])
}
