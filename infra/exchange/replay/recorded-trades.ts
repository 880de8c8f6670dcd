/**
 * The trades of one symbol that a recording has played, in order of their ids. An id that is
 * missing from the recording may have been a trade. So no response skips such an id: that would
 * claim, in the exchange's name, that it was not a trade.
 */
import { RestError } from '../protocol/rest-errors.ts'
import type { TradeQuery } from '../source.ts'
import { firstWhere, selectTrades } from '../trade-range.ts'

export interface RecordedTrade<Row> {
  readonly id: number
  readonly time_ms: number
  /** First and last fill id of an aggregate; for a single fill, its own id twice. */
  readonly first_fill: number
  readonly last_fill: number
  /** Undefined if the id is not a market trade, which REST omits. */
  readonly row: Row | undefined
}

/** Trades kept per symbol; above this, the oldest half is dropped. */
const TRADES_MAX = 200_000
const NOT_RECORDED = -1

export class RecordedTrades<Row> {
  readonly #trades: RecordedTrade<Row>[] = []

  /** A trade may be recorded twice or late. An aggregate's id may occur twice, with other fills. */
  add(trade: RecordedTrade<Row>): void {
    const trades = this.#trades
    if (!Number.isSafeInteger(trade.id)) return
    const at = firstWhere(trades.length, (index) => !isBefore(trades[index]!, trade))
    const found = trades[at]
    if (found?.id === trade.id && found.first_fill === trade.first_fill) return
    trades.splice(at, 0, trade)
    if (trades.length > TRADES_MAX) trades.splice(0, TRADES_MAX / 2)
  }

  rows(): readonly Row[] {
    return this.#trades.flatMap(({ row }) => row ?? [])
  }

  /**
   * The exchange's response as far as the recording knows it: it ends before the first id that is
   * missing from the recording. Throws a RestError if the requested first id itself is missing.
   * Trades from before the recording count as no longer kept: the response starts with the oldest.
   */
  select(query: TradeQuery): readonly Row[] {
    const trades = this.#trades
    const { start, end } = selectTrades(
      trades.length,
      (at) => trades[at]!.id,
      (at) => trades[at]!.time_ms,
      // Ids that are not market trades do not count towards the limit.
      { ...query, limit: query.from_id === undefined ? query.limit : trades.length },
    )
    const { from_id } = query
    if (from_id !== undefined && start > 0 && start < end && trades[start]!.id > from_id) {
      if (!follows(trades[start - 1]!, trades[start]!)) {
        throw new RestError(NOT_RECORDED, `The recording does not hold trade ${from_id}.`, 404)
      }
    }
    const rows: Row[] = []
    for (let at = start; at < end && rows.length < query.limit; at++) {
      if (at > start && !follows(trades[at - 1]!, trades[at]!)) break
      const { row } = trades[at]!
      if (row !== undefined) rows.push(row)
    }
    return rows
  }
}

type Place = Pick<RecordedTrade<unknown>, 'id' | 'first_fill' | 'last_fill'>

function isBefore(one: Place, other: Place): boolean {
  return one.id < other.id || (one.id === other.id && one.first_fill < other.first_fill)
}

/** No trade is between the two: consecutive ids, or consecutive fills if an id was skipped. */
function follows(before: Place, after: Place): boolean {
  return after.id <= before.id + 1 || after.first_fill === before.last_fill + 1
}
