/**
 * Check `rates`: no symbol quotes far less than at this time of the days before. Looks at
 * WINDOW_S of each day: a whole hour of eight days would be millions of rows every five minutes.
 */
import { givingLocksBack } from '#core/node/hour-spans.ts'
import type { Client } from '#core/node/pool.ts'
import { before, type Checked, RECORDED_S, WINDOW_S } from './checked.ts'

const DAYS = 7
const DAY_S = 86_400
/** Of the median of the days before. Weekends are quieter, but not so much. */
const SHARE_MIN = 0.2
/** A quiet symbol's count is mostly chance: one quote a second is asked for. */
const QUOTES_MIN = WINDOW_S

interface Count {
  readonly id: string
  readonly symbol: string
  readonly quote_count: number
}

/** Of streams that were heard in the last day and have not ended. */
const COUNTS = `
select s.id, s.exchange || ' ' || s.symbol as symbol, c.quote_count
from marketdata.symbols s
cross join lateral (
  select coalesce(sum(quote_count), 0)::float8 as quote_count from marketdata.bt_1s
  where symbol_id = s.id and bucket >= $1 and bucket < $2
) c
where s.is_active and not s.may_rest and exists (
  select from marketdata.stream_offsets o
  where o.symbol_id = s.id and o.channel = 'book_ticker' and o.deaf_cause is null and o.ts_ingest > $3
)
order by s.exchange, s.symbol`

export async function checkRates(client: Client, now: string): Promise<Checked> {
  const { rows } = await client.query<{ until: Date }>(
    `select least(watermark, $1::timestamptz) as until from marketdata.rollup_watermarks
     where rollup = 'bt_1s' and watermark > $1::timestamptz - make_interval(secs => $2)`,
    [now, WINDOW_S],
  )
  // Without fresh rollups nothing can be said; freshness says that.
  const until = rows[0]?.until.toISOString()
  if (until === undefined) return { looked_at: '0 symbols', row_count: 0, findings: [] }
  const countsOf = async (days_before: number): Promise<readonly Count[]> => {
    const to = before(until, days_before * DAY_S)
    const values = [before(to, WINDOW_S), to, before(now, RECORDED_S)]
    return (await givingLocksBack(client, () => client.query<Count>(COUNTS, values))).rows
  }
  const counts = await countsOf(0)
  const earlier = new Map<string, number[]>()
  for (let day = 1; day <= DAYS; day++) {
    for (const { id, quote_count } of await countsOf(day)) {
      if (quote_count > 0) earlier.set(id, [...(earlier.get(id) ?? []), quote_count])
    }
  }
  const compared = counts.filter(({ id }) => medianOf(earlier.get(id)) >= QUOTES_MIN)
  const low = compared.filter(
    ({ id, quote_count }) => quote_count < SHARE_MIN * medianOf(earlier.get(id)),
  )
  return {
    looked_at: `${compared.length} symbols`,
    row_count: 0,
    findings:
      low.length === 0
        ? []
        : [
            {
              check: 'rates',
              code: 'rate_low',
              table_name: 'book_ticker',
              symbols: low.map(({ symbol }) => symbol),
              sentence: `book_ticker: ${low.length} of ${compared.length} symbols quoted less than ${SHARE_MIN * 100} % of what they did in the same ${WINDOW_S} s of the days before.`,
            },
          ],
  }
}

function medianOf(values: readonly number[] = []): number {
  if (values.length === 0) return 0
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
