/** Finds symbols with depth that orderbook_topn does not include yet. */
import { type HourSpan, selectHourSpans } from '#core/node/hour-spans.ts'
import type { Client } from '#core/node/pool.ts'
import { type Micros, micros, toIso } from '#core/time.ts'
import type { DueSymbol } from './symbol-run.ts'

export type NewDepth = Omit<DueSymbol, 'is_quiet'>

interface KnownSymbol {
  readonly symbol_id: number
  readonly symbol: string
  readonly covered_to: number | null
  /** In microseconds; -Infinity if nothing has been read. */
  readonly read_to: number
}

/** Symbols with unread depth. Queries the newest hours first. */
export async function selectDue(client: Client): Promise<readonly NewDepth[]> {
  let left = await selectKnown(client)
  const read_to = left.reduce((least, symbol) => Math.min(least, symbol.read_to), Infinity)
  const due: NewDepth[] = []
  const spans = await selectHourSpans(client, ['depth_events'], read_to, Infinity)
  for (const span of spans.toReversed()) {
    left = left.filter((symbol) => symbol.read_to < span.to)
    const newest = await selectNewest(client, left, span)
    for (const { symbol_id, symbol, covered_to } of left) {
      const ts = newest.get(symbol_id)
      if (ts === undefined) continue
      const covered = covered_to === null ? undefined : micros(covered_to)
      due.push({ symbol_id, symbol, covered_to: covered, newest: ts })
    }
    left = left.filter(({ symbol_id }) => !newest.has(symbol_id))
  }
  return due.toSorted((a, b) => a.symbol_id - b.symbol_id)
}

async function selectKnown(client: Client): Promise<readonly KnownSymbol[]> {
  const { rows } = await client.query<Omit<KnownSymbol, 'symbol_id'> & { symbol_id: string }>(
    `select s.id as symbol_id, s.symbol,
       (extract(epoch from w.covered_to) * 1000000)::float8 as covered_to,
       (extract(epoch from coalesce(w.read_to, w.covered_to, '-infinity')) * 1000000)::float8 as read_to
     from marketdata.symbols s
     left join marketdata.orderbook_topn_watermarks w on w.symbol_id = s.id`,
  )
  return rows.map((row) => ({ ...row, symbol_id: Number(row.symbol_id) }))
}

/** Newest unread depth of the span, by symbol_id. */
async function selectNewest(
  client: Client,
  symbols: readonly KnownSymbol[],
  span: HourSpan,
): Promise<ReadonlyMap<number, Micros>> {
  if (symbols.length === 0) return new Map()
  const { rows } = await client.query<{ symbol_id: string; newest: number }>(
    `select k.symbol_id, (extract(epoch from d.ts_exchange) * 1000000)::float8 as newest
     from unnest($1::bigint[], $2::timestamptz[]) as k (symbol_id, from_ts)
     cross join lateral (
       select ts_exchange from marketdata.depth_events
       where symbol_id = k.symbol_id and ts_exchange >= $3 and ts_exchange < $4
         and ts_exchange >= k.from_ts
       order by ts_exchange desc limit 1
     ) d`,
    [
      symbols.map(({ symbol_id }) => symbol_id),
      symbols.map(({ read_to }) => toIso(micros(Math.max(read_to, span.from)))),
      toIso(span.from),
      toIso(span.to),
    ],
  )
  return new Map(rows.map(({ symbol_id, newest }) => [Number(symbol_id), micros(newest)]))
}
