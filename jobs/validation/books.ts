/**
 * Check `books`: the stored changes of each book follow each other, except across gaps in the gap
 * ledger, and a complete book has come after each gap.
 */
import { givingLocksBack } from '#core/node/hour-spans.ts'
import type { Client } from '#core/node/pool.ts'
import type { Finding } from '#core/validation.ts'
import { before, type Checked, WINDOW_S } from './checked.ts'

/** How long a snapshot may take after a gap: snapshots are requested within a weight limit. */
const SNAPSHOT_S_MAX = 120
/** Older gaps were reported while they were new. */
const GAPS_S = 3_600

interface Book {
  readonly symbol: string
  readonly diff_count: number
  readonly break_count: number
}

/**
 * Along the primary key, symbol by symbol. A diff follows if it names the one before (pu), or
 * begins where that ended. An id that went back is another socket, or a new numbering.
 */
const BREAKS = `
select s.exchange || ' ' || s.symbol as symbol, d.diff_count, d.break_count
from marketdata.symbols s
cross join lateral (
  select count(*)::int as diff_count,
    count(*) filter (
      where coalesce(l.prev_final_update_id, l.first_update_id - 1) > l.before_id
        and not exists (
          select from marketdata.gaps g
          where g.symbol_id = s.id and g.channel = 'depth_events'
            and g.from_ts <= l.ts_exchange and g.to_ts >= l.before_ts
        )
    )::int as break_count
  from (
    select ts_exchange, first_update_id, prev_final_update_id,
      lag(final_update_id) over w as before_id, lag(ts_exchange) over w as before_ts
    from marketdata.depth_events
    where symbol_id = s.id and depth_kind = 'diff' and ts_exchange >= $2 and ts_exchange < $1
    window w as (order by ts_exchange, final_update_id)
  ) l
) d
where d.diff_count > 0
order by 1`

/** The newest gap of each book that has changed since but has had no complete book. */
const LOST = `
select s.exchange || ' ' || s.symbol as symbol
from marketdata.symbols s
cross join lateral (
  select g.from_ts, g.to_ts from marketdata.gaps g
  where g.symbol_id = s.id and g.channel = 'depth_events' and g.cause <> 'rejected'
    and g.to_ts >= $2 and g.to_ts < $1
  order by g.to_ts desc limit 1
) h
where s.is_active and exists (
  select from marketdata.depth_events
  where symbol_id = s.id and depth_kind = 'diff'
    and ts_exchange > h.to_ts + make_interval(secs => $3) and ts_exchange >= $2 and ts_exchange < $1
) and not exists (
  select from marketdata.depth_events
  where symbol_id = s.id and depth_kind = 'snapshot'
    and ts_exchange >= h.from_ts and ts_exchange >= $4 and ts_exchange < $1
)
order by 1`

export async function checkBooks(client: Client, now: string): Promise<Checked> {
  const { rows: books } = await givingLocksBack(client, () =>
    client.query<Book>(BREAKS, [now, before(now, WINDOW_S)]),
  )
  const bounds = [now, before(now, GAPS_S), SNAPSHOT_S_MAX, before(now, 2 * GAPS_S)]
  const { rows: lost } = await givingLocksBack(client, () =>
    client.query<{ symbol: string }>(LOST, bounds),
  )
  const broken = books.filter(({ break_count }) => break_count > 0)
  const break_count = broken.reduce((sum, book) => sum + book.break_count, 0)
  return {
    looked_at: `${books.length} books`,
    row_count: books.reduce((sum, { diff_count }) => sum + diff_count, 0),
    findings: [
      ...findings(
        'book_break',
        broken,
        `depth_events: ${break_count} changes of the last ${WINDOW_S} s do not follow the one before, and the gap ledger shows no gap there.`,
      ),
      ...findings(
        'book_lost',
        lost,
        `depth_events: ${lost.length} books have had no snapshot since their last gap, more than ${SNAPSHOT_S_MAX} s ago: they are not in sequence.`,
      ),
    ],
  }
}

function findings(
  code: string,
  books: readonly { readonly symbol: string }[],
  sentence: string,
): readonly Finding[] {
  if (books.length === 0) return []
  const symbols = books.map(({ symbol }) => symbol)
  return [{ check: 'books', code, table_name: 'depth_events', symbols, sentence }]
}
