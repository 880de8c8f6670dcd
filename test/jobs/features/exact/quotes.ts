/** The columns of best quotes and trades as rationals, row by row as docs/features.md says. */
import type { StreamGap } from '../../../../jobs/day/gaps.ts'
import type { StoikovTable } from '../../../../jobs/features/fit/stoikov.ts'
import {
  negated,
  product,
  ratio,
  rational,
  type Rational,
  sum,
  total,
} from '../../../core/rational.ts'
import type { Market, Quote, Trade } from './market.ts'

/** Undefined is null. */
export type Row = Record<string, Rational | undefined>

export const integer = (value: number): Rational => rational(String(value))
export const minus = (a: Rational, b: Rational): Rational => sum(a, negated(b))
export const isLess = (a: Rational, b: Rational): boolean => a.top * b.bottom < b.top * a.bottom
/** a / b; undefined if b is 0. */
export const share = (a: Rational, b: Rational): Rational | undefined =>
  b.top === 0n ? undefined : ratio(a, b)
const HALF = rational('0.5')

export interface Top {
  readonly bid: Rational
  readonly bid_qty: Rational
  readonly ask: Rational
  readonly ask_qty: Rational
}

export interface QuoteRow {
  readonly columns: Row
  readonly ofi: Rational | undefined
  readonly mid: Rational | undefined
  readonly is_cut: boolean
}

function topOf({ bid, ask }: Quote): Top | undefined {
  if (bid === undefined || ask === undefined) return undefined
  return {
    bid: rational(bid.price),
    bid_qty: rational(bid.qty),
    ask: rational(ask.price),
    ask_qty: rational(ask.qty),
  }
}

const midOf = ({ bid, ask }: Top): Rational => product(sum(bid, ask), HALF)
const spreadOf = ({ bid, ask }: Top): Rational => minus(ask, bid)

/** e_n of one level. */
export function flow(before: Top, now: Top): Rational {
  const parts: Rational[] = []
  if (!isLess(now.bid, before.bid)) parts.push(now.bid_qty)
  if (!isLess(before.bid, now.bid)) parts.push(negated(before.bid_qty))
  if (!isLess(before.ask, now.ask)) parts.push(negated(now.ask_qty))
  if (!isLess(now.ask, before.ask)) parts.push(before.ask_qty)
  return total(parts)
}

export function quoteRows(
  market: Market,
  step_us: number,
  row_count: number,
  stoikov: StoikovTable,
): readonly QuoteRow[] {
  const cuts = market.quote_gaps
    .filter((gap) => !gap.repaired)
    .flatMap((gap) => [gap.from_ts, gap.to_ts])
  const events = [
    ...market.quotes.map((quote) => ({ ts: quote.ts, quote })),
    ...cuts.map((ts) => ({ ts: ts as number, quote: undefined })),
  ].toSorted((a, b) => a.ts - b.ts)
  let last: Quote | undefined
  let next = 0
  return Array.from({ length: row_count }, (_, row) => {
    const end = (row + 1) * step_us
    const carried = last && topOf(last)
    const mids = carried === undefined ? [] : [midOf(carried)]
    const spreads: Rational[] = []
    const flows: Rational[] = []
    let [is_cut, count] = [false, 0]
    for (; next < events.length && events[next]!.ts < end; next++) {
      const { quote } = events[next]!
      const before = last && topOf(last)
      last = quote
      if (quote === undefined) {
        is_cut = true
        continue
      }
      count += 1
      const now = topOf(quote)
      if (now === undefined) {
        is_cut = true
        continue
      }
      mids.push(midOf(now))
      spreads.push(spreadOf(now))
      if (before !== undefined) flows.push(flow(before, now))
    }
    return rowOf(last, { mids, spreads, flows, is_cut, count, end }, stoikov)
  })
}

function rowOf(
  last: Quote | undefined,
  seen: {
    readonly mids: readonly Rational[]
    readonly spreads: readonly Rational[]
    readonly flows: readonly Rational[]
    readonly is_cut: boolean
    readonly count: number
    readonly end: number
  },
  stoikov: StoikovTable,
): QuoteRow {
  const { mids, spreads, flows, is_cut, count, end } = seen
  const top = last && topOf(last)
  const mid = top && midOf(top)
  const ofi = top && total(flows)
  const depth = top && sum(top.bid_qty, top.ask_qty)
  const columns: Row = {
    mid_open: top && mids[0],
    mid_high: top && mids.reduce((a, b) => (isLess(a, b) ? b : a)),
    mid_low: top && mids.reduce((a, b) => (isLess(b, a) ? b : a)),
    mid_close: mid,
    best_bid: last?.bid && rational(last.bid.price),
    bid_qty: last?.bid && rational(last.bid.qty),
    best_ask: last?.ask && rational(last.ask.price),
    ask_qty: last?.ask && rational(last.ask.qty),
    spread: top && spreadOf(top),
    spread_mean:
      top &&
      (spreads.length === 0 ? spreadOf(top) : share(total(spreads), integer(spreads.length))),
    weighted_mid:
      top && share(sum(product(top.ask, top.bid_qty), product(top.bid, top.ask_qty)), depth!),
    i1: top && share(minus(top.bid_qty, top.ask_qty), depth!),
    ofi,
    quote_count: last && integer(count),
    quote_age_s: last && ratio(integer(end - last.ts), integer(1e6)),
    microprice_stoikov: top && microprice(top, stoikov),
  }
  return { columns, ofi, mid, is_cut }
}

/** Ten classes of imbalance, five of spread in units of the smallest one. */
function microprice(top: Top, { spread_unit, g }: StoikovTable): Rational | undefined {
  const spread = spreadOf(top)
  if (spread.top <= 0n) return undefined
  const units = floor(sum(ratio(spread, rational(String(spread_unit))), HALF))
  const tenths = floor(ratio(product(integer(10), top.bid_qty), sum(top.bid_qty, top.ask_qty)))
  const of_state = g[(Math.min(Math.max(units, 1), 5) - 1) * 10 + Math.min(tenths, 9)]!
  return of_state === null ? undefined : sum(midOf(top), rational(String(of_state)))
}

const floor = ({ top, bottom }: Rational): number => Number(top / bottom)

export interface TradeRow {
  readonly columns: Row
  readonly bought: Rational | undefined
  readonly sold: Rational | undefined
}

/** Whether an open gap touches a row. */
export function isBlind(gaps: readonly StreamGap[], step_us: number, row: number): boolean {
  return gaps.some(
    (gap) =>
      !gap.repaired &&
      Math.floor(gap.from_ts / step_us) <= row &&
      row <= Math.floor(gap.to_ts / step_us),
  )
}

export function tradeRows(market: Market, step_us: number, row_count: number): readonly TradeRow[] {
  return Array.from({ length: row_count }, (_, row) => {
    if (isBlind(market.trade_gaps, step_us, row))
      return { columns: {}, bought: undefined, sold: undefined }
    const trades = market.trades.filter(({ ts }) => Math.floor(ts / step_us) === row)
    const columns = tradeColumns(trades)
    return { columns, bought: columns['buy_volume'], sold: columns['sell_volume'] }
  })
}

export function tradeColumns(trades: readonly Trade[]): Row {
  const of = (is_sell: boolean): Rational =>
    total(trades.filter((trade) => trade.is_sell === is_sell).map(({ qty }) => rational(qty)))
  const [bought, sold] = [of(false), of(true)]
  const notional = total(trades.map(({ price, qty }) => product(rational(price), rational(qty))))
  return {
    trade_count: integer(trades.length),
    volume: sum(bought, sold),
    buy_volume: bought,
    sell_volume: sold,
    notional,
    vwap: share(notional, sum(bought, sold)),
    trade_imbalance: share(minus(bought, sold), sum(bought, sold)),
  }
}

export function markRow(market: Market, end: number): Row {
  const mark = market.marks.findLast(({ ts }) => ts < end)
  if (mark === undefined) return {}
  const price = rational(mark.mark)
  const index = mark.index === undefined ? undefined : rational(mark.index)
  return {
    mark_price: price,
    index_price: index,
    mark_index_basis_bps: index && share(product(minus(price, index), integer(10_000)), index),
    funding_rate: mark.funding === undefined ? undefined : rational(mark.funding),
  }
}

export function liquidationRow(market: Market, row: number): Row {
  const orders = market.liquidations.filter(({ ts }) => Math.floor(ts / 1e6) === row)
  const of = (is_buy: boolean): Rational =>
    total(orders.filter((order) => order.is_buy === is_buy).map(({ qty }) => rational(qty)))
  return {
    liquidation_count: integer(orders.length),
    liquidation_buy_volume: of(true),
    liquidation_sell_volume: of(false),
  }
}
