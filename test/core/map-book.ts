/**
 * A naive book from a recording: two Maps and the exchange's documented procedure, in order of
 * arrival. It is independent of core/book*.ts.
 */
import type { Level } from '#core/market.ts'
import type { Micros } from '#core/time.ts'
import type { DepthLine } from './depth-recordings.ts'

export type Change = Extract<DepthLine, { readonly kind: 'diff' | 'snapshot' }>

export interface MapBook {
  readonly update_id: number
  /** Best first. */
  readonly bids: readonly Level[]
  readonly asks: readonly Level[]
}

/** One symbol's recorded depth, in order of arrival. */
export function changesOf(lines: readonly DepthLine[], symbol: string): readonly Change[] {
  return lines.filter((line) => line.kind !== 'quote' && line.symbol === symbol) as Change[]
}

/** The newest snapshot up to `ts` plus later changes; throws if the changes have a gap. */
export function mapBookAt(changes: readonly Change[], ts: Micros): MapBook {
  const known = changes.filter(({ change }) => change.ts_exchange <= ts)
  const snapshots = known.filter(({ kind }) => kind === 'snapshot').map(({ change }) => change)
  const snapshot = snapshots.toSorted((a, b) => a.ts_exchange - b.ts_exchange).at(-1)
  if (snapshot === undefined) throw new Error('No snapshot before that time.')
  const bids = new Map(snapshot.bids)
  const asks = new Map(snapshot.asks)
  let update_id = snapshot.final_update_id
  let is_first = true
  for (const { kind, change } of known) {
    const { final_update_id, prev_final_update_id } = change
    if (kind !== 'diff' || final_update_id < snapshot.final_update_id) continue
    if (!is_first && prev_final_update_id !== update_id) throw new Error('The changes have a gap.')
    is_first = false
    update_id = final_update_id
    put(bids, change.bids)
    put(asks, change.asks)
  }
  const descending = [...bids].toSorted(([a], [b]) => b - a)
  return { update_id, bids: descending, asks: [...asks].toSorted(([a], [b]) => a - b) }
}

function put(side: Map<number, number>, levels: readonly Level[]): void {
  for (const [price, qty] of levels) {
    if (qty === 0) side.delete(price)
    else side.set(price, qty)
  }
}
