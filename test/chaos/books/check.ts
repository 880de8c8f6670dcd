/**
 * Checks the books in depth_events with a naive reader. Every break of the chain must be in the
 * ledger. A book that is carried over an unbroken run must match the best levels of every quote
 * with the same update id, and every snapshot of the exchange in the run.
 */
import { bookAt, type DepthSource } from '#core/book-at.ts'
import type { DepthChange } from '#core/book-sync.ts'
import type { Level } from '#core/market.ts'
import type { Pool } from '#core/node/pool.ts'
import { type Micros, micros } from '#core/time.ts'

export interface BookVerdict {
  readonly symbol_count: number
  readonly diff_count: number
  readonly snapshot_count: number
  /** Breaks of a chain that no gap covers. */
  readonly unledgered: number
  /** Breaks that a gap covers. */
  readonly ledgered: number
  /** Number of snapshots and quotes that were compared with a carried book. */
  readonly snapshots_compared: number
  readonly quotes_compared: number
  readonly wrong: number
  /** Books with a best bid at or above the best ask: rebuilt, or rows of orderbook_topn. */
  readonly crossed: number
  readonly topn_count: number
  /** Number of times at which a book was requested, and how often there was one. */
  readonly asked: number
  readonly served: number
  /** Examples of wrong books. */
  readonly examples: readonly string[]
}

/** Deeper levels may be beyond a snapshot of 1,000 levels. */
const COMPARED_LEVELS = 200
const MOMENTS_PER_SYMBOL = 4
const EXAMPLES_MAX = 10

export async function checkBooks(pool: Pool, random: () => number): Promise<BookVerdict> {
  const { rows: symbols } = await pool.query<{ id: string; symbol: string }>(
    `select id, symbol from marketdata.symbols
     where id in (select distinct symbol_id from marketdata.depth_events) order by symbol`,
  )
  const { rows: topn } = await pool.query<{ total: number; crossed: number }>(
    `select count(*)::int as total, (count(*) filter (where b1_price >= a1_price))::int as crossed
     from marketdata.orderbook_topn`,
  )
  const sum = {
    diff_count: 0,
    snapshot_count: 0,
    unledgered: 0,
    ledgered: 0,
    snapshots_compared: 0,
    quotes_compared: 0,
    wrong: 0,
    crossed: topn[0]!.crossed,
    asked: 0,
    served: 0,
  }
  const examples: string[] = []
  for (const { id, symbol } of symbols) {
    const depth = await readDepth(pool, id)
    const carried = new Map<number, string>()
    const note = (update_id: number, sentence: string): void => {
      examples.push(`${symbol}, update ${update_id}: ${sentence}`)
    }
    const walked = walk(depth, carried, note)
    const asked = await askForBooks(depth, carried, random, note)
    for (const found of [walked, asked]) {
      for (const [name, count] of Object.entries(found)) sum[name as keyof typeof sum] += count
    }
  }
  return {
    symbol_count: symbols.length,
    topn_count: topn[0]!.total,
    ...sum,
    examples: examples.slice(0, EXAMPLES_MAX),
  }
}

interface Depth {
  /** Sorted by final_update_id. */
  readonly diffs: readonly DepthChange[]
  readonly snapshots: readonly DepthChange[]
  readonly gaps: readonly { readonly from_id: number; readonly to_id: number }[]
  /** Best bid, its quantity, best ask, its quantity, by update id. */
  readonly quotes: ReadonlyMap<number, string>
}

async function readDepth(pool: Pool, symbol_id: string): Promise<Depth> {
  const { rows } = await pool.query<{
    kind: 'diff' | 'snapshot'
    ts: number
    first: number | null
    final: number
    prev: number | null
    bids: readonly Level[]
    asks: readonly Level[]
  }>(
    `select depth_kind as kind, (extract(epoch from ts_exchange) * 1000000)::float8 as ts,
       first_update_id::float8 as first, final_update_id::float8 as final,
       prev_final_update_id::float8 as prev, bids, asks
     from marketdata.depth_events where symbol_id = $1 and depth_kind <> 'partial'
     order by final_update_id, ts_exchange`,
    [symbol_id],
  )
  const gaps = await pool.query<{ from_id: number; to_id: number }>(
    `select coalesce(from_id, 0)::float8 as from_id, to_id::float8 as to_id
     from marketdata.gaps where symbol_id = $1 and channel = 'depth_events' and to_id is not null`,
    [symbol_id],
  )
  const quotes = await pool.query<{ id: number; text: string }>(
    `select q.update_id::float8 as id,
       concat_ws(' ', q.best_bid, q.bid_qty, q.best_ask, q.ask_qty) as text
     from marketdata.book_ticker q
     join marketdata.depth_events d on d.symbol_id = q.symbol_id
       and d.final_update_id = q.update_id and d.depth_kind = 'diff'
     where q.symbol_id = $1`,
    [symbol_id],
  )
  const ofKind = (kind: 'diff' | 'snapshot'): readonly DepthChange[] =>
    rows
      .filter((row) => row.kind === kind)
      .map((row) => ({
        ts_exchange: micros(row.ts),
        first_update_id: row.first,
        final_update_id: row.final,
        prev_final_update_id: row.prev,
        bids: row.bids,
        asks: row.asks,
      }))
  return {
    diffs: ofKind('diff'),
    snapshots: ofKind('snapshot'),
    gaps: gaps.rows,
    quotes: new Map(quotes.rows.map(({ id, text }) => [id, text])),
  }
}

type Sides = readonly [bids: Map<number, number>, asks: Map<number, number>]

type Note = (update_id: number, sentence: string) => void

/** Fills `known` with the best levels after each diff, by its update id. */
function walk({ diffs, snapshots, gaps, quotes }: Depth, known: Map<number, string>, note: Note) {
  const found = {
    diff_count: diffs.length,
    snapshot_count: snapshots.length,
    unledgered: 0,
    ledgered: 0,
    snapshots_compared: 0,
    quotes_compared: 0,
    wrong: 0,
    crossed: 0,
  }
  let carried: Sides | undefined
  let next = 0
  for (const [at, diff] of diffs.entries()) {
    const last_id = diffs[at - 1]?.final_update_id
    if (last_id !== undefined && diff.prev_final_update_id !== last_id) {
      carried = undefined
      const { final_update_id: id } = diff
      const is_known = gaps.some((gap) => gap.from_id <= last_id && gap.to_id >= id)
      found[is_known ? 'ledgered' : 'unledgered']++
      if (!is_known) note(last_id, 'nothing tells of the break after it')
    }
    if (carried !== undefined) apply(carried, diff)
    for (; (snapshots[next]?.final_update_id ?? Infinity) <= diff.final_update_id; next++) {
      const snapshot = snapshots[next]!
      if (!connects(snapshot, diff)) continue
      const fresh: Sides = [new Map(snapshot.bids), new Map(snapshot.asks)]
      apply(fresh, diff)
      if (carried !== undefined) {
        found.snapshots_compared++
        if (bestText(carried) !== bestText(fresh)) {
          found.wrong++
          note(snapshot.final_update_id, 'the book is not that of the snapshot')
        }
      }
      carried = fresh
    }
    if (carried === undefined) continue
    const [bid, ask] = [bestOf(carried[0], 1), bestOf(carried[1], -1)]
    if (bid[0] >= ask[0]) {
      found.crossed++
      note(diff.final_update_id, 'the book is crossed')
    }
    const top = [...bid, ...ask].join(' ')
    known.set(diff.final_update_id, top)
    const quote = quotes.get(diff.final_update_id)
    if (quote === undefined) continue
    found.quotes_compared++
    if (quote === top) continue
    found.wrong++
    note(diff.final_update_id, `the book has ${top}, the quote ${quote}`)
  }
  return found
}

function connects(snapshot: DepthChange, diff: DepthChange): boolean {
  const { final_update_id: id } = snapshot
  const is_inside = (diff.first_update_id ?? Infinity) <= id && id <= diff.final_update_id
  return is_inside || diff.prev_final_update_id === id
}

function apply(sides: Sides, { bids, asks }: DepthChange): void {
  for (const [side, levels] of [
    [sides[0], bids],
    [sides[1], asks],
  ] as const) {
    for (const [price, qty] of levels) {
      if (qty === 0) side.delete(price)
      else side.set(price, qty)
    }
  }
}

function bestText([bids, asks]: Sides): string {
  const top = (side: Map<number, number>, sign: 1 | -1): unknown =>
    [...side].toSorted(([a], [b]) => sign * (b - a)).slice(0, COMPARED_LEVELS)
  return JSON.stringify([top(bids, 1), top(asks, -1)])
}

function bestOf(side: ReadonlyMap<number, number>, sign: 1 | -1): Level {
  let best = -Infinity
  for (const price of side.keys()) best = Math.max(best, sign * price)
  return [sign * best, side.get(sign * best) ?? 0]
}

/** Books as a caller gets them, at several times, some of them in gaps. */
async function askForBooks(
  depth: Depth,
  known: ReadonlyMap<number, string>,
  random: () => number,
  note: Note,
) {
  const found = { asked: 0, served: 0, crossed: 0, wrong: 0 }
  const source = sourceOf(depth)
  for (let moment = 0; moment < MOMENTS_PER_SYMBOL; moment++) {
    const diff = depth.diffs[Math.floor(random() * depth.diffs.length)]
    if (diff === undefined) continue
    found.asked++
    const answer = await bookAt(source, micros(diff.ts_exchange + Math.floor(random() * 100_000)))
    if (answer.kind !== 'book') continue
    const { book, update_id } = answer
    found.served++
    if (book.is_crossed) found.crossed++
    const top = [...book.bids.top(1), ...book.asks.top(1)].flat().join(' ')
    const expected = known.get(update_id)
    if (expected === undefined || expected === top) continue
    found.wrong++
    note(update_id, `the served book has ${top}, expected ${expected}`)
  }
  return found
}

function sourceOf({ diffs, snapshots }: Depth): DepthSource {
  const byTime = (a: DepthChange, b: DepthChange): number =>
    a.ts_exchange - b.ts_exchange || a.final_update_id - b.final_update_id
  const ordered = diffs.toSorted(byTime)
  const whole = snapshots.toSorted(byTime)
  return {
    snapshotBefore: (ts: Micros) =>
      Promise.resolve(whole.findLast((snapshot) => snapshot.ts_exchange <= ts)),
    snapshotsAfter: (from, to) =>
      Promise.resolve(whole.filter(({ ts_exchange: ts }) => ts > from && ts <= to)),
    async *diffs({ from_ts, from_id, to_ts }) {
      for (const diff of ordered) {
        if (diff.ts_exchange < from_ts || diff.final_update_id < from_id) continue
        yield diff
        if (diff.ts_exchange > to_ts) return
      }
    },
  }
}
