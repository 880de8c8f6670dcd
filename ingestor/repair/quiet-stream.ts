/**
 * Finds out whether a quiet trade stream has missed anything after it was subscribed again. The
 * exchange's history shows its newest trade. The answers go onto the tape, so missed trades are
 * stored.
 *
 * Ids are the proof: the history is read from the last received trade on. If that trade is older
 * than the history, or there never was one, time is the proof: no trade since the stream was lost.
 */
import { type Micros } from '#core/time.ts'
import type { OpenEnd } from './ledger.ts'
import { ask, findFirst, type RefillDeps, windowStart } from './refill.ts'

export type Newest =
  /** `newest_id` is null if the stream never had an event and there is no trade. */
  | { readonly kind: 'newest'; readonly newest_id: number | null; readonly ts_exchange: Micros }
  /** The exchange cannot tell. The next trade will. */
  | { readonly kind: 'unknown' }
  /** No answer now; try again later. */
  | { readonly kind: 'later' }

/** Maximum answers per stream. A stream with more trades is not quiet. */
const PAGES_MAX = 20

export async function askNewest(deps: RefillDeps, end: OpenEnd): Promise<Newest> {
  if (end.last_id === null) return askSinceLoss(deps, end)
  const history = deps.adapter.tradeHistory(deps.choice)
  let newest: Newest | undefined
  let from_id = end.last_id
  for (let page = 0; page < PAGES_MAX; page++) {
    const path = history.pathFrom(end.symbol, from_id, history.page_trades_max)
    const answer = await ask(deps, end.symbol, path, history.page_weight)
    if (answer.kind === 'tape_full' || answer.kind === 'unanswered') return { kind: 'later' }
    if (answer.kind === 'refused') return newest === undefined ? askSinceLoss(deps, end) : UNKNOWN
    // An unreadable trade may be the newest.
    if (answer.odd_count > 0) return UNKNOWN
    const { ids, last_ts } = answer
    const newest_id = ids.at(-1)
    if (newest_id === undefined || last_ts === undefined) return newest ?? askSinceLoss(deps, end)
    newest = { kind: 'newest', newest_id, ts_exchange: last_ts }
    if (ids.length < history.page_trades_max) return newest
    from_id = newest_id + 1
  }
  return UNKNOWN
}

const UNKNOWN: Newest = { kind: 'unknown' }

async function askSinceLoss(deps: RefillDeps, end: OpenEnd): Promise<Newest> {
  const { symbol, last_id, ts_exchange, lost_ts } = end
  const history = deps.adapter.tradeHistory(deps.choice)
  const now = deps.clock()
  const oldest = windowStart(history, now)
  if (history.byTime === undefined || (oldest !== undefined && lost_ts < oldest)) return UNKNOWN
  const found = await findFirst(deps, { symbol, from_ts: lost_ts, to_ts: now })
  if (found.kind === 'asked') return { kind: 'newest', newest_id: last_id, ts_exchange }
  return found.kind === 'tape_full' || found.kind === 'unanswered' ? { kind: 'later' } : UNKNOWN
}
