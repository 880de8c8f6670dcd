/**
 * Asks the exchange for the missing trades of one hole and puts every answer onto the tape, from
 * where the writer takes them like any other frame. It does not look into the tables: what came
 * of it is counted by the caller once the tape is committed there.
 *
 * Invariants
 * 1. Pages go upwards; `next_id` is the first id that was not asked for yet.
 * 2. An id is counted as void only where the exchange leaves ids out that are no market trades
 *    (has_every_id is false), and only between two ids that it gave: what is missing before the
 *    first one may just be older than what the exchange keeps.
 */
import { OperatorError } from '#core/errors.ts'
import { type Micros, SECOND_US } from '#core/time.ts'
import type { ExchangeAdapter, StreamChoice, TradeHistory } from '../exchanges/adapter.ts'
import type { RestAnswer, RestClient } from '../transport/rest-client.ts'
import type { MissingRange } from './ledger.ts'

export interface RefillDeps {
  readonly adapter: ExchangeAdapter
  readonly choice: StreamChoice
  readonly rest: Pick<RestClient, 'get'>
  readonly clock: () => Micros
  /** Puts an answer onto the tape; false where there is no room for it. */
  append(answer: RestAnswer): boolean
}

export interface Wanted {
  readonly symbol: string
  readonly ranges: readonly MissingRange[]
  readonly from_ts: Micros
  readonly to_ts: Micros
}

/** How far a hole was asked for; kept between two turns with the same hole. */
export interface Walk {
  next_id: number
  /** The history was seen to reach back before the ids that are asked for. */
  is_anchored: boolean
  void_count: number
}

export type RefillEnd =
  /** Every missing id was asked for, or the exchange has nothing newer. */
  | { readonly kind: 'asked' }
  /** The pages of this turn are used up. */
  | { readonly kind: 'more' }
  | { readonly kind: 'refused'; readonly detail: string }
  /** No answer: the network, or the exchange asks for a pause. */
  | { readonly kind: 'unanswered'; readonly detail: string }
  | { readonly kind: 'tape_full' }

/** Ids before the missing ones that are asked for too, to see that the history reaches back. */
const ANCHOR_IDS = 10
/** What is about to leave the exchange's window while we ask counts as gone. */
const WINDOW_MARGIN_US = 60 * SECOND_US
const MICROS_PER_MS = 1_000

export function startWalk(): Walk {
  return { next_id: 0, is_anchored: false, void_count: 0 }
}

/** The oldest moment that the exchange still answers for, or undefined where it has no limit. */
export function windowStart(history: TradeHistory, now: Micros): number | undefined {
  if (history.window_s === undefined) return undefined
  return now - history.window_s * SECOND_US + WINDOW_MARGIN_US
}

/**
 * The first trade of a hole that has no first id: the stream was lost before it ever spoke.
 * `asked` where the exchange knows of none, or cannot be asked by time so far back.
 */
export async function findFirst(
  deps: RefillDeps,
  wanted: Omit<Wanted, 'ranges'>,
): Promise<{ readonly kind: 'first_id'; readonly id: number } | RefillEnd> {
  const history = deps.adapter.tradeHistory(deps.choice)
  const oldest = windowStart(history, deps.clock())
  if (history.byTime === undefined) return { kind: 'asked' }
  if (oldest !== undefined && wanted.from_ts < oldest) return { kind: 'asked' }
  return skipToWindow(deps, history, wanted, wanted.from_ts)
}

/** At most `pages_max` answers. `walk` is moved on. */
export async function refill(
  deps: RefillDeps,
  wanted: Wanted,
  walk: Walk,
  pages_max: number,
): Promise<RefillEnd> {
  const history = deps.adapter.tradeHistory(deps.choice)
  const oldest = windowStart(history, deps.clock())
  if (walk.next_id === 0 && oldest !== undefined && wanted.from_ts < oldest) {
    const found = await skipToWindow(deps, history, wanted, oldest)
    if (found.kind !== 'first_id') return found
    walk.next_id = found.id
  }
  for (let page = 0; page < pages_max; page++) {
    const plan = planPage(wanted.ranges, walk, history)
    if (plan === undefined) return { kind: 'asked' }
    const path = history.pathFrom(wanted.symbol, plan.from_id, plan.limit)
    const answer = await ask(deps, wanted.symbol, path, history.page_weight)
    if (answer.kind !== 'ids') return answer
    const last_id = answer.ids.at(-1)
    if (last_id === undefined || last_id < plan.first_missing) return { kind: 'asked' }
    if (!history.has_every_id) noteVoid(walk, wanted.ranges, plan, answer.ids)
    walk.next_id = last_id + 1
  }
  return { kind: planPage(wanted.ranges, walk, history) === undefined ? 'asked' : 'more' }
}

interface Page {
  readonly from_id: number
  readonly limit: number
  readonly first_missing: number
}

function planPage(
  ranges: readonly MissingRange[],
  walk: Walk,
  { page_trades_max, has_every_id }: TradeHistory,
): Page | undefined {
  const open = ranges.filter((range) => range.before_id > walk.next_id)
  const first = open.find((range) => Math.max(range.after_id + 1, walk.next_id) < range.before_id)
  if (first === undefined) return undefined
  const first_missing = Math.max(first.after_id + 1, walk.next_id)
  if (!has_every_id) {
    const back = walk.is_anchored ? 0 : ANCHOR_IDS
    return { from_id: Math.max(0, first_missing - back), limit: page_trades_max, first_missing }
  }
  const page_end = first_missing + page_trades_max
  const last = open.findLast((range) => range.after_id + 1 < page_end) ?? first
  const limit = Math.min(page_end, last.before_id) - first_missing
  return { from_id: first_missing, limit, first_missing }
}

/** Counts the missing ids that the answer passed over. By arithmetic: ids are not to be trusted. */
function noteVoid(
  walk: Walk,
  ranges: readonly MissingRange[],
  { first_missing }: Page,
  ids: readonly number[],
): void {
  walk.is_anchored ||= ids[0]! < first_missing
  if (!walk.is_anchored) return
  const last_id = ids.at(-1)!
  for (const { after_id, before_id } of ranges) {
    const first = Math.max(after_id + 1, first_missing)
    const last = Math.min(before_id - 1, last_id)
    if (first > last) continue
    const given_count = ids.filter((id) => id >= first && id <= last).length
    walk.void_count += last - first + 1 - given_count
  }
}

type Answer =
  | Exclude<RefillEnd, { kind: 'asked' | 'more' }>
  /** Ascending, each once. */
  | { readonly kind: 'ids'; readonly ids: readonly number[] }

async function ask(
  deps: RefillDeps,
  symbol: string,
  path: string,
  weight: number,
): Promise<Answer> {
  let answer: RestAnswer
  try {
    answer = await deps.rest.get({ path, weight, priority: 'low' })
  } catch (error) {
    if (!(error instanceof OperatorError) || error.code === 'rest_stopped') throw error
    return { kind: error.retryable ? 'unanswered' : 'refused', detail: error.message }
  }
  if (!deps.append(answer)) return { kind: 'tape_full' }
  const parsed = deps.adapter.parseRest(path, answer.body, answer.ts_ingest, deps.choice)
  if (parsed.kind !== 'events') {
    const detail = parsed.kind === 'rejected' ? `: ${parsed.detail}` : ''
    return { kind: 'refused', detail: `The answer to GET ${path} is no list of trades${detail}.` }
  }
  const ids = parsed.events.flatMap((event) =>
    event.kind === 'trade' && event.symbol === symbol ? [event.agg_trade_id] : [],
  )
  return { kind: 'ids', ids: [...new Set(ids)].toSorted((a, b) => a - b) }
}

/**
 * A hole that begins before the exchange's window cannot be asked for by its first id. Looks for
 * the first trade that is still given, span by span.
 */
async function skipToWindow(
  deps: RefillDeps,
  { byTime, page_weight }: TradeHistory,
  { symbol, to_ts }: Pick<Wanted, 'symbol' | 'to_ts'>,
  oldest: number,
): Promise<{ readonly kind: 'first_id'; readonly id: number } | RefillEnd> {
  if (byTime === undefined) return { kind: 'first_id', id: 0 }
  const to_ms = Math.ceil(to_ts / MICROS_PER_MS)
  let from_ms = Math.ceil(oldest / MICROS_PER_MS)
  while (from_ms <= to_ms) {
    const end_ms = Math.min(to_ms, from_ms + byTime.span_s_max * 1_000)
    const answer = await ask(deps, symbol, byTime.path(symbol, from_ms, end_ms, 1), page_weight)
    if (answer.kind !== 'ids') return answer
    if (answer.ids[0] !== undefined) return { kind: 'first_id', id: answer.ids[0] }
    from_ms = end_ms + 1
  }
  return { kind: 'asked' }
}
