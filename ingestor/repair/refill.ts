/**
 * Requests the missing trades of one gap from the exchange and appends every answer to the tape,
 * where the writer reads it like any other frame. Does not look into the tables: the caller counts
 * the result once the tape is committed.
 *
 * Invariants
 * 1. Pages go upwards. `next_id` is the first id not yet requested.
 * 2. An id counts as void if the exchange returns it as something other than a market trade. If the
 *    exchange leaves void ids out (has_every_id is false), an id counts as void if it lies between
 *    two returned ids: ids before the first one may just be older than the exchange's history. An
 *    unreadable element may be any id that is left out, and never counts as void.
 */
import { OperatorError } from '#core/errors.ts'
import type { MarketEvent, Trade, VoidTrade } from '#core/market.ts'
import { type Micros, SECOND_US } from '#core/time.ts'
import type { ExchangeAdapter, StreamChoice, TradeHistory } from '../exchanges/adapter.ts'
import type { RestAnswer, RestClient } from '../transport/rest-client.ts'
import type { MissingRange } from './ledger.ts'

export interface RefillDeps {
  readonly adapter: ExchangeAdapter
  readonly choice: StreamChoice
  readonly rest: Pick<RestClient, 'get'>
  readonly clock: () => Micros
  /** Appends an answer to the tape; false if the tape has no room. */
  append(answer: RestAnswer): boolean
}

export interface WantedTrades {
  readonly symbol: string
  readonly ranges: readonly MissingRange[]
  readonly from_ts: Micros
  readonly to_ts: Micros
}

/** How far the requests for a gap have come; kept between turns. */
export interface Walk {
  next_id: number
  /** The history was seen to reach back before the requested ids. */
  is_anchored: boolean
  void_count: number
}

export type RefillEnd =
  /** Every missing id was requested, or the exchange has nothing newer. */
  | { readonly kind: 'asked' }
  /** All pages of this turn are used. */
  | { readonly kind: 'more' }
  | { readonly kind: 'refused'; readonly detail: string }
  /** No answer: the network failed, or the exchange requires a pause. */
  | { readonly kind: 'unanswered'; readonly detail: string }
  | { readonly kind: 'tape_full' }

/**
 * Number of ids before the missing ones that are requested too, to see that history reaches back.
 */
const ANCHOR_IDS = 10
/** Trades this close to the end of the exchange's window count as gone. */
const WINDOW_MARGIN_US = 60 * SECOND_US
const MICROS_PER_MS = 1_000

export function startWalk(): Walk {
  return { next_id: 0, is_anchored: false, void_count: 0 }
}

/** The oldest time that the exchange still answers for; undefined if there is no limit. */
export function windowStart(history: TradeHistory, now: Micros): number | undefined {
  if (history.window_s === undefined) return undefined
  return now - history.window_s * SECOND_US + WINDOW_MARGIN_US
}

/**
 * Finds the first trade of a gap without a first id: its stream was lost before its first event.
 * Returns `asked` if the exchange has no trade, or cannot be queried by time that far back.
 */
export async function findFirst(
  deps: RefillDeps,
  wanted: Omit<WantedTrades, 'ranges'>,
): Promise<{ readonly kind: 'first_id'; readonly id: number } | RefillEnd> {
  const history = deps.adapter.tradeHistory(deps.choice)
  const oldest = windowStart(history, deps.clock())
  if (history.byTime === undefined) return { kind: 'asked' }
  if (oldest !== undefined && wanted.from_ts < oldest) return { kind: 'asked' }
  return skipToWindow(deps, history, wanted, wanted.from_ts)
}

/** Requests at most `pages_max` pages and advances `walk`. */
export async function refill(
  deps: RefillDeps,
  wanted: WantedTrades,
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
    if (history.has_every_id) noteGivenVoid(walk, wanted.ranges, answer)
    else noteLeftOut(walk, wanted.ranges, plan, answer)
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

/** Counts the missing ids that the answer returns as void. */
function noteGivenVoid(walk: Walk, ranges: readonly MissingRange[], { void_ids }: Ids): void {
  const new_ids = void_ids.filter((id) => id >= walk.next_id)
  for (const { after_id, before_id } of ranges) {
    walk.void_count += new_ids.filter((id) => id > after_id && id < before_id).length
  }
}

/** Counts the missing ids that the answer skipped. By arithmetic, because ids cannot be trusted. */
function noteLeftOut(
  walk: Walk,
  ranges: readonly MissingRange[],
  { first_missing }: Page,
  { ids, void_ids, odd_count }: Ids,
): void {
  walk.is_anchored ||= ids[0]! < first_missing
  if (!walk.is_anchored) return
  const last_id = ids.at(-1)!
  const trade_ids = ids.filter((id) => !void_ids.includes(id))
  let left_out_count = 0
  for (const { after_id, before_id } of ranges) {
    const first = Math.max(after_id + 1, first_missing)
    const last = Math.min(before_id - 1, last_id)
    if (first > last) continue
    const given_count = trade_ids.filter((id) => id >= first && id <= last).length
    left_out_count += last - first + 1 - given_count
  }
  walk.void_count += Math.max(0, left_out_count - odd_count)
}

interface Ids {
  /** Of trades and void trades; ascending and unique. */
  readonly ids: readonly number[]
  /** Time of the last id; undefined if there is none. */
  readonly last_ts: Micros | undefined
  readonly void_ids: readonly number[]
  /** Number of unreadable elements. */
  readonly odd_count: number
}

type Answer = Exclude<RefillEnd, { kind: 'asked' | 'more' }> | ({ readonly kind: 'ids' } & Ids)

/** Sends one request and appends its answer to the tape. */
export async function ask(
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
    return {
      kind: 'refused',
      detail: `The answer to GET ${path} is not a list of trades${detail}.`,
    }
  }
  const { events, odd = [] } = parsed
  const trades = events.filter(isTrade).filter((trade) => trade.symbol === symbol)
  const idsOf = (some: readonly AnyTrade[]): readonly number[] =>
    [...new Set(some.map((trade) => trade.agg_trade_id))].toSorted((a, b) => a - b)
  const ids = idsOf(trades)
  if (ids.length === 0 && odd[0] !== undefined) {
    const detail = `None of the ${odd.length} trades in the answer to GET ${path} can be read: ${odd[0].detail}.`
    return { kind: 'refused', detail }
  }
  const last_ts = trades.find((trade) => trade.agg_trade_id === ids.at(-1))?.ts_exchange
  const void_ids = idsOf(trades.filter(({ kind }) => kind === 'void_trade'))
  return { kind: 'ids', ids, last_ts, void_ids, odd_count: odd.length }
}

type AnyTrade = Trade | VoidTrade

function isTrade(event: MarketEvent): event is AnyTrade {
  return event.kind === 'trade' || event.kind === 'void_trade'
}

/**
 * Trades before the exchange's window cannot be requested by id. Looks for the first trade in the
 * window, span by span.
 */
async function skipToWindow(
  deps: RefillDeps,
  { byTime, page_weight }: TradeHistory,
  { symbol, to_ts }: Pick<WantedTrades, 'symbol' | 'to_ts'>,
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
