/**
 * Book features computed directly from the formulas: levels in a list that is searched for every
 * update. Shares only the input types with the program.
 */
import type { DepthChange } from '#core/book-sync.ts'

type Level = readonly [price: number, qty: number]
type Row = Record<string, number | null>

/** Rows of whole seconds from `from_s` on. `diffs` are an unbroken chain after `snapshot`. */
export function slowBookRows(
  snapshot: DepthChange,
  diffs: readonly DepthChange[],
  from_s: number,
  count: number,
): readonly Row[] {
  const bids = snapshot.bids.toSorted(([a], [b]) => b - a)
  const asks = snapshot.asks.toSorted(([a], [b]) => a - b)
  const kept = diffs.filter((diff) => diff.final_update_id >= snapshot.final_update_id)
  const rows: Row[] = []
  let next = 0
  let before: readonly [readonly Level[], readonly Level[]] | undefined
  for (let s = from_s; s < from_s + count; s++) {
    const looks: (readonly [readonly Level[], readonly Level[]])[] = []
    const flows: number[][] = []
    for (; next < kept.length && kept[next]!.ts_exchange < (s + 1) * 1e6; next++) {
      for (const [price, qty] of kept[next]!.bids) setLevel(bids, price, qty, -1)
      for (const [price, qty] of kept[next]!.asks) setLevel(asks, price, qty, 1)
      const now = [bids.slice(0, 12), asks.slice(0, 12)] as const
      if (kept[next]!.ts_exchange >= s * 1e6) {
        looks.push(now)
        flows.push(
          Array.from({ length: 10 }, (_, k) => (before === undefined ? 0 : flow(before, now, k))),
        )
      }
      before = now
    }
    rows.push(before === undefined ? {} : rowOf(before, looks, flows))
  }
  return rows
}

function rowOf(
  [bids, asks]: readonly [readonly Level[], readonly Level[]],
  looks: readonly (readonly [readonly Level[], readonly Level[]])[],
  flows: readonly (readonly number[])[],
): Row {
  const row: Row = { depth_update_count: looks.length }
  const mid = (bids[0]![0] + asks[0]![0]) / 2
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)
  for (const count of [5, 10]) {
    const [b, a] = [bids, asks].map((side) => sum(side.slice(0, count).map(([, qty]) => qty)))
    row[`i${count}`] = (b! - a!) / (b! + a!)
  }
  const seen = looks.length === 0 ? [[bids, asks] as const] : looks
  const depth = Array.from(
    { length: 10 },
    (_, k) => sum(seen.map(([b, a]) => (b[k]![1] + a[k]![1]) / 2)) / seen.length,
  )
  const ofi = Array.from({ length: 10 }, (_, k) => sum(flows.map((flow_of) => flow_of[k]!)))
  for (const [k, value] of ofi.entries()) row[`mlofi_${k + 1}`] = value
  row['level_qty_mean'] = sum(depth) / 10
  for (const count of [5, 10]) {
    row[`mlofi_norm_${count}`] = sum(ofi.slice(0, count)) / sum(depth.slice(0, count))
  }
  for (const [name, side] of [
    ['bid', bids],
    ['ask', asks],
  ] as const) {
    const ten = side.slice(0, 10)
    const qtys = ten.map(([, qty]) => qty)
    const largest = Math.max(...qtys)
    const wall = ten.find(([, qty]) => qty === largest)!
    const ordered = qtys.toSorted((a, b) => a - b)
    row[`${name}_wall_size`] = largest
    row[`${name}_wall_dist_bps`] = Math.abs(wall[0] / mid - 1) * 1e4
    row[`${name}_wall_ratio`] = largest / ((ordered[4]! + ordered[5]!) / 2)
    const x = ten.map(([price]) => Math.abs(price / mid - 1) * 1e4)
    const y = qtys.map((_, k) => sum(qtys.slice(0, k + 1)))
    row[`${name}_slope`] =
      sum(x.map((value, k) => value * y[k]!)) / sum(x.map((value) => value ** 2))
  }
  row['book_slope'] = (naesSkjeltorp(bids, mid) + naesSkjeltorp(asks, mid)) / 2
  return row
}

/** Quotients near 1 and logarithms near 0 lose digits, so their inputs are rounded to decimals. */
function naesSkjeltorp(side: readonly Level[], mid: number): number {
  const p = [mid, ...side.slice(0, 10).map(([price]) => price)]
  const v = Array.from({ length: 11 }, (_, k) =>
    Math.log(decimal(side.slice(0, k).reduce((total, [, qty]) => total + qty, 0))),
  )
  const change = (k: number): number => Math.abs(decimal(p[k + 1]! - p[k]!)) / p[k]!
  let sum = v[1]! / change(0)
  for (let k = 1; k < 10; k++) sum += (v[k + 1]! / v[k]! - 1) / change(k)
  return sum / 10
}

const decimal = (value: number): number => Number(value.toFixed(8))

/** e_n of level k: quantity added to the bid minus quantity added to the ask. */
function flow(
  [bids, asks]: readonly [readonly Level[], readonly Level[]],
  [new_bids, new_asks]: readonly [readonly Level[], readonly Level[]],
  k: number,
): number {
  const came = (was: Level, is: Level, is_better: boolean): number => {
    if (is[0] === was[0]) return is[1] - was[1]
    return is_better ? is[1] : -was[1]
  }
  const [b, nb, a, na] = [bids[k]!, new_bids[k]!, asks[k]!, new_asks[k]!]
  return came(b, nb, nb[0] > b[0]) - came(a, na, na[0] < a[0])
}

/** A side as a list of levels, best first. */
function setLevel(side: Level[], price: number, qty: number, direction: 1 | -1): void {
  let [low, high] = [0, side.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (direction * (side[middle]![0] - price) < 0) low = middle + 1
    else high = middle
  }
  const is_there = side[low]?.[0] === price
  side.splice(low, is_there ? 1 : 0, ...(qty === 0 ? [] : [[price, qty] as const]))
}
