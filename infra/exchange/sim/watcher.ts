/** Observes a simulated symbol, to publish it in another exchange's format. */
import type { ForcedOrder } from './liquidations.ts'
import type { MarkPrice } from './mark-price.ts'
import type { Fill } from './order-flow.ts'

export interface MarketWatcher {
  /** Called after each action; `u` is its update id. */
  noteStep(u: number, ts_ms: number, fills: readonly Fill[], has_quoted: boolean): void
  /** Every 100 ms. */
  endWindow(now_ms: number): void
  /** Every second, after the window; `forced` is the latest forced order of that second. */
  endSecond(mark: MarkPrice, forced: ForcedOrder | undefined): void
}
