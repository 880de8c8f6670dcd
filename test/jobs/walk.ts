/** A market of a random walk in the raw tables: the same rows in every run. */
import type { Pool } from '#core/node/pool.ts'
import {
  insertDepth,
  insertLiquidations,
  insertMarks,
  insertQuotes,
  insertTrades,
} from './market.ts'

export interface WalkTimes {
  /** Start of the day [us]. */
  readonly midnight: number
  /** Where pieces of the market begin, after midnight [s]. It is silent between them. */
  readonly pieces_s: readonly number[]
  /** Length of each piece [s]. */
  readonly piece_s: number
}

/** Numbers in [0, 1), the same in every run. */
function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** A book that walks by ticks of 0.1, with trades, marks and liquidations. */
export async function loadWalk(
  pool: Pool,
  symbol: string,
  seed: number,
  { midnight, pieces_s, piece_s }: WalkTimes,
): Promise<void> {
  const random = createRandom(seed)
  const pick = (count: number): number => Math.floor(random() * count)
  const price = (ticks: number): number => Number((ticks / 10).toFixed(1))
  const qty = (): number => Number((0.001 + pick(9_000) / 1_000).toFixed(3))
  let mid_ticks = 50_000 * seed
  let id = 1_000 * seed
  for (const start_s of pieces_s) {
    const quotes: Parameters<typeof insertQuotes>[1][number][] = []
    const trades: Parameters<typeof insertTrades>[1][number][] = []
    const depth: Parameters<typeof insertDepth>[1][number][] = []
    let depth_id: number | null = null
    for (let s = 0; s < piece_s; s += random() * 1.5) {
      const ts = midnight + Math.round((start_s + s) * 1e6)
      id += 1 + pick(3)
      mid_ticks += pick(5) - 2
      const [bid, ask] = [mid_ticks - 1 - pick(2), mid_ticks + pick(2)]
      quotes.push({
        symbol,
        ts,
        id,
        bid: price(bid),
        bid_qty: qty(),
        ask: price(ask),
        ask_qty: qty(),
      })
      if (pick(3) === 0) {
        const is_buyer_maker = pick(2) === 0
        const at = price(is_buyer_maker ? bid : ask)
        trades.push({ symbol, ts: ts + pick(900), id, price: at, qty: qty(), is_buyer_maker })
      }
      const levels = (best: number, step: -1 | 1): string =>
        `{${Array.from({ length: 25 }, (_, n) => `{${price(best + step * n)},${qty()}}`).join(',')}}`
      depth.push({
        symbol,
        ts,
        kind: depth_id === null ? 'snapshot' : 'diff',
        before: depth_id,
        id,
        bids: levels(bid, -1),
        asks: levels(ask, 1),
      })
      depth_id = id
    }
    await insertQuotes(pool, quotes)
    await insertTrades(pool, trades)
    await insertDepth(pool, depth)
    const seconds = Array.from({ length: piece_s / 10 }, (_, n) => start_s + 10 * n)
    await insertMarks(
      pool,
      seconds.map((s) => ({
        symbol,
        ts: midnight + s * 1e6,
        mark: price(mid_ticks) + 0.012_3,
        index: pick(4) === 0 ? null : price(mid_ticks),
        funding: 0.000_1 * pick(3),
      })),
    )
    await insertLiquidations(
      pool,
      seconds
        .filter((_, n) => n % 7 === 0)
        .map((s) => ({
          symbol,
          ts: midnight + s * 1e6 + 500_000,
          side: pick(2) === 0 ? 'buy' : 'sell',
          qty: qty(),
        })),
    )
  }
}
