/**
 * The trades of one symbol that a recording has brought so far, in the order of their ids. An id
 * that the recording lacks may have been a trade: no answer passes over it, since that would say
 * of it, in the exchange's name, that it was none.
 */
import { RestError } from '../protocol/rest-errors.ts'
import type { TradeQuery } from '../source.ts'
import { firstWhere, selectTrades } from '../trade-range.ts'

export interface RecordedTrade<Row> {
  readonly id: number
  readonly time_ms: number
  /** Ids of the fills an aggregate holds; the trade's own id twice where it is a fill itself. */
  readonly first_fill: number
  readonly last_fill: number
  /** Undefined where the id is that of no market trade, which REST leaves out. */
  readonly row: Row | undefined
}

/** Trades of a symbol that can be asked for again; the oldest half goes when it is full. */
const TRADES_MAX = 200_000
const NOT_RECORDED = -1

export class RecordedTrades<Row> {
  readonly #trades: RecordedTrade<Row>[] = []

  /** A recording may bring a trade twice or late. An aggregate's id may be used twice, for other fills. */
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
   * What the exchange answered, as far as the recording knows: it ends before the first id that
   * the recording lacks. Throws where that is the very id asked for. What came before the
   * recording is as what an exchange no longer keeps: the answer begins with the oldest.
   */
  select(query: TradeQuery): readonly Row[] {
    const trades = this.#trades
    const { start, end } = selectTrades(
      trades.length,
      (at) => trades[at]!.id,
      (at) => trades[at]!.time_ms,
      // Ids of no market trade do not count towards the limit.
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

/** Nothing lies between the two: consecutive ids, or consecutive fills where an id was skipped. */
function follows(before: Place, after: Place): boolean {
  return after.id <= before.id + 1 || after.first_fill === before.last_fill + 1
}
