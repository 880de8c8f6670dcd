/** A random book of one symbol: a lost update, a thin side, and snapshots. */
import { micros } from '#core/time.ts'
import type { DepthRow } from '../../../jobs/day/depth-reader.ts'
import { randomNumbers } from '../features/random.ts'

export const MIDNIGHT = Date.parse('2024-08-09T00:00:00Z') * 1_000

type Change = readonly (readonly [number, number])[]

/** Begins shortly before midnight; an update every 100 ms on average. */
export function depthOf(seed: number, count: number): readonly DepthRow[] {
  const random = randomNumbers(seed)
  const pick = (size: number): number => Math.floor(random() * size)
  const price = (ticks: number): number => Number((ticks / 10).toFixed(1))
  const rows: DepthRow[] = []
  let [ts, id, before, center] = [MIDNIGHT - 20e6, 100, 100, 600_000]
  const side = (step: 1 | -1, size: number): Change =>
    Array.from({ length: size }, (_, n) => [
      price(center + step * (n + 1)),
      (1 + pick(9_000)) / 1_000,
    ])
  const snapshot = (size = 25): void => {
    const ids = { first_update_id: null, prev_final_update_id: null, final_update_id: id }
    const levels = { bids: side(-1, size), asks: side(1, size) }
    rows.push({ depth_kind: 'snapshot', ts_exchange: micros(ts), ...ids, ...levels })
  }
  snapshot()
  for (let n = 0; n < count; n++) {
    ts += 1 + pick(200_000)
    before = id
    id += 1 + pick(3)
    // A lost update, then a snapshot; later a book that is thin for a while.
    if (n === 500) before += 1
    if (n === 560 || n === 900 || n === 950) {
      center += pick(40) - 20
      snapshot(n === 900 ? 6 : 25)
      before = id
      id += 1
    }
    const change = (step: 1 | -1): Change =>
      Array.from({ length: 1 + pick(3) }, () => {
        const rank = 1 + pick(24)
        return [
          price(center + step * rank),
          pick(12) === 0 && rank > 12 ? 0 : (1 + pick(9_000)) / 1_000,
        ]
      })
    const ids = { first_update_id: before + 1, prev_final_update_id: before, final_update_id: id }
    const levels = { bids: change(-1), asks: change(1) }
    rows.push({ depth_kind: 'diff', ts_exchange: micros(ts), ...ids, ...levels })
  }
  return rows
}
