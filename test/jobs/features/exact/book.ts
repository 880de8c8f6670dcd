/** The columns of the book, computed as rationals from lists of levels. */
import {
  negated,
  product,
  ratio,
  rational,
  type Rational,
  sum,
  total,
} from '../../../core/rational.ts'
import { inUnits, ln, UNIT } from './logarithm.ts'
import { applied, type Book, type Chain, type Market, type Side } from './market.ts'
import { flow, integer, isLess, minus, type Row, share, type Top } from './quotes.ts'

interface Level {
  readonly price: Rational
  readonly qty: Rational
}

interface Levels {
  readonly ts: number
  readonly bids: readonly Level[]
  readonly asks: readonly Level[]
}

const RANKS = Array.from({ length: 10 }, (_, rank) => rank)
const BPS = integer(10_000)

/** The book after each update of a chain. */
function booksOf({ snapshot, updates }: Chain): readonly Levels[] {
  const book = { bids: [...snapshot.bids], asks: [...snapshot.asks] }
  return updates.map(({ ts, bids, asks }) => {
    applied(book.bids, bids, -1)
    applied(book.asks, asks, 1)
    return { ts, ...exactly(book) }
  })
}

function exactly({ bids, asks }: Book): Pick<Levels, 'bids' | 'asks'> {
  // No column uses deeper levels.
  const exact = (sides: readonly Side[]): readonly Level[] =>
    sides
      .slice(0, RANKS.length)
      .map(({ price, qty }) => ({ price: rational(price), qty: rational(qty) }))
  return { bids: exact(bids), asks: exact(asks) }
}

export function bookRows(
  market: Market,
  step_us: number,
  row_count: number,
  weights: readonly number[],
): readonly Row[] {
  const chains = market.chains.map(booksOf)
  return Array.from({ length: row_count }, (_, row) => {
    const [start, end] = [row * step_us, (row + 1) * step_us]
    const chain = chains.findLast((books) => books[0]!.ts < end)
    if (chain === undefined) return {}
    const last = chain.findLastIndex(({ ts }) => ts < end)
    // After the last update of a lost chain nothing is known.
    if (last === chain.length - 1 && chain !== chains.at(-1)) return {}
    const first = chain.findIndex(({ ts }) => ts >= start)
    const seen = first < 0 ? [] : chain.slice(first, last + 1)
    const before = first > 0 ? chain[first - 1] : undefined
    return { ...shownBy(chain[last]!), ...flowOf(chain[last]!, before, seen, weights) }
  })
}

function flowOf(
  now: Levels,
  before: Levels | undefined,
  seen: readonly Levels[],
  weights: readonly number[],
): Row {
  const row: Row = { depth_update_count: integer(seen.length) }
  const looks = seen.length === 0 ? [now] : seen
  const before_too = before === undefined || seen.length === 0 ? looks : [before, ...looks]
  const isWhole = (count: number): boolean =>
    before_too.every(({ bids, asks }) => Math.min(bids.length, asks.length) >= count)
  const chain = before === undefined ? seen : [before, ...seen]
  const flows = RANKS.map((rank) =>
    isWhole(rank + 1)
      ? total(chain.slice(1).map((is, i) => flow(levelOf(chain[i]!, rank), levelOf(is, rank))))
      : undefined,
  )
  for (const rank of RANKS) row[`mlofi_${rank + 1}`] = flows[rank]
  const depthOf = (count: number): Rational =>
    total(
      looks.flatMap((look) =>
        RANKS.slice(0, count).map((rank) => {
          const level = levelOf(look, rank)
          return ratio(sum(level.bid_qty, level.ask_qty), integer(2))
        }),
      ),
    )
  const mean = (count: number): Rational => ratio(depthOf(count), integer(looks.length))
  for (const count of [5, 10]) {
    row[`mlofi_norm_${count}`] = isWhole(count)
      ? ratio(total(flows.slice(0, count) as Rational[]), mean(count))
      : undefined
  }
  if (!isWhole(10)) return row
  const level_qty_mean = ratio(mean(10), integer(10))
  const exact_weights = weights.map((weight) => rational(String(weight)))
  const weighted = total(exact_weights.map((weight, rank) => product(weight, flows[rank]!)))
  const norm = total(exact_weights.map(absolute))
  row['level_qty_mean'] = level_qty_mean
  row['mlofi_integrated'] = ratio(ratio(weighted, level_qty_mean), norm)
  return row
}

function levelOf({ bids, asks }: Levels, rank: number): Top {
  const [bid, ask] = [bids[rank]!, asks[rank]!]
  return { bid: bid.price, bid_qty: bid.qty, ask: ask.price, ask_qty: ask.qty }
}

const absolute = (value: Rational): Rational => (value.top < 0n ? negated(value) : value)
const qtysOf = (levels: readonly Level[], count: number): readonly Rational[] =>
  levels.slice(0, count).map(({ qty }) => qty)

function shownBy({ bids, asks }: Levels): Row {
  const row: Row = {}
  for (const count of [5, 10]) {
    if (Math.min(bids.length, asks.length) < count) continue
    const [b, a] = [total(qtysOf(bids, count)), total(qtysOf(asks, count))]
    row[`i${count}`] = ratio(minus(b, a), sum(b, a))
  }
  const mid = ratio(sum(bids[0]!.price, asks[0]!.price), integer(2))
  const slopes: (Rational | undefined)[] = []
  for (const [name, levels] of [
    ['bid', bids],
    ['ask', asks],
  ] as const) {
    if (levels.length < 10) continue
    const best = levels.slice(0, 10)
    const largest = best.reduce((a, b) => (isLess(a.qty, b.qty) ? b : a))
    const ordered = qtysOf(best, 10).toSorted((a, b) => (isLess(a, b) ? -1 : isLess(b, a) ? 1 : 0))
    const distances = best.map(({ price }) => product(ratio(absolute(minus(price, mid)), mid), BPS))
    const volumes = best.map((_, rank) => total(qtysOf(best, rank + 1)))
    row[`${name}_wall_size`] = largest.qty
    row[`${name}_wall_dist_bps`] = distances[best.indexOf(largest)]
    row[`${name}_wall_ratio`] = ratio(largest.qty, ratio(sum(ordered[4]!, ordered[5]!), integer(2)))
    row[`${name}_slope`] = share(
      total(distances.map((x, rank) => product(x, volumes[rank]!))),
      total(distances.map((x) => product(x, x))),
    )
    slopes.push(naesSkjeltorp(mid, best, volumes))
  }
  const [bid_slope, ask_slope] = slopes
  row['book_slope'] = bid_slope && ask_slope && ratio(sum(bid_slope, ask_slope), integer(2))
  return row
}

/** In units of 2^-400; undefined if a divisor is 0. */
function naesSkjeltorp(
  mid: Rational,
  best: readonly Level[],
  volumes: readonly Rational[],
): Rational | undefined {
  const logs = volumes.map(({ top, bottom }) => ln(top, bottom))
  const prices = [mid, ...best.map(({ price }) => price)]
  const part = (top: bigint, from: Rational, to: Rational): bigint => {
    const distance = ratio(absolute(minus(to, from)), from)
    return (top * distance.bottom) / distance.top
  }
  if (
    logs.slice(0, 9).includes(0n) ||
    prices[0]!.top * prices[1]!.bottom === prices[1]!.top * prices[0]!.bottom
  )
    return undefined
  let sum_of_parts = part(logs[0]!, prices[0]!, prices[1]!)
  for (let k = 0; k < 9; k++) {
    const growth = ((logs[k + 1]! - logs[k]!) * UNIT) / logs[k]!
    sum_of_parts += part(growth, prices[k + 1]!, prices[k + 2]!)
  }
  return inUnits(sum_of_parts / 10n)
}
