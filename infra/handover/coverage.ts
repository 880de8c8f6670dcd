/**
 * Whether one ingestor records everything that another one does, for so long that the other can
 * stop without a gap.
 */
import type { Pool } from '#core/node/pool.ts'
import { RECORDED_TO } from './end-streams.ts'

/** Sentences that say what `to` does not cover yet; empty if `from` can stop. */
export async function missingCoverage(
  pool: Pool,
  from: string,
  to: string,
): Promise<readonly string[]> {
  const { rows } = await pool.query<{ is_fresh: boolean }>(POSITIONS, [to])
  const [position] = rows
  if (position === undefined) return [`${to} has written nothing to this database`]
  if (!position.is_fresh) return [`${to} is not up to date: it has committed nothing for seconds`]
  const uncovered = await pool.query<Uncovered>(UNCOVERED, [from, to])
  return uncovered.rows.map(({ channel, symbol_count, example, why }) => {
    const whose = symbol_count === 1 ? example : `${example} and ${symbol_count - 1} more`
    return `${channel} of ${whose}: ${why}`
  })
}

interface Uncovered {
  readonly channel: string
  readonly symbol_count: number
  readonly example: string
  readonly why: string
}

const POSITIONS = `
  select updated_at > now() - interval '5 seconds'
    and covered_until > now() - interval '10 seconds' as is_fresh
  from marketdata.tape_positions where ingestor_id = $1`

/**
 * Streams that `from` records now ($1), whose recording at `to` ($2) is missing, lost, or began
 * after the time up to which `from` would be known to have recorded them.
 */
const UNCOVERED = `
  with stream as (
    select o.channel, s.symbol,
      case when n.ingestor_id is null then 'not recorded by the new ingestor'
        when n.deaf_cause is not null then 'lost by the new ingestor (' || n.deaf_cause || ')'
        when not coalesce(coalesce(n.began_ts, n.ts_exchange) <= ${RECORDED_TO}, false)
          then 'recorded by both for too short a time' end as why
    from marketdata.stream_offsets o
    join marketdata.tape_positions p on p.ingestor_id = o.ingestor_id
    join marketdata.symbols s on s.id = o.symbol_id
    left join marketdata.stream_offsets n
      on n.ingestor_id = $2 and n.symbol_id = o.symbol_id and n.channel = o.channel
    where o.ingestor_id = $1 and o.deaf_cause is null
  )
  select channel, count(*)::int as symbol_count, min(symbol) as example, why
  from stream where why is not null group by channel, why order by channel, why`
