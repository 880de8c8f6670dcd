/**
 * The repairer of a recorder (repair/repairer.ts). It starts once trades are recorded whose ids
 * show what is missing. It keeps running if trades are deselected, for what was missed before.
 */
import type { StreamChoice } from './exchanges/adapter.ts'
import type { Listening } from './listening.ts'
import { type Repairer, type RepairOptions, startRepairer } from './repair/repairer.ts'
import { canRepair, tradeSymbols } from './stream-choice.ts'
import type { Mark, SymbolChannel } from './tape/record.ts'

export interface TradeRepairOptions extends Omit<
  RepairOptions,
  'symbols' | 'coveredSymbols' | 'noteNewest'
> {
  readonly listening: Pick<Listening, 'status'>
  takeMark(mark: Mark): void
}

export interface TradeRepair {
  /** Replaces the symbols and the choice. */
  take(symbols: readonly string[], choice: StreamChoice): void
  /** These streams are lost, by a mark before `position`. */
  noteLost(streams: readonly SymbolChannel[], position: number): void
  /** Undefined before the repairer has started. */
  counts(): ReturnType<Repairer['counts']> | undefined
  stop(): Promise<void>
}

export function createTradeRepair(options: TradeRepairOptions): TradeRepair {
  const { adapter, listening, takeMark } = options
  let repairer: Repairer | undefined
  const start = (symbols: readonly string[]): Repairer =>
    startRepairer({
      ...options,
      symbols,
      coveredSymbols: () =>
        tradeSymbols(listening.status().streams.filter((stream) => stream.is_covered)),
      noteNewest: (symbol, { newest_id, ts_exchange }) =>
        takeMark({
          kind: 'newest',
          newest_id,
          ts_exchange,
          streams: [{ symbol, channel: 'trades' }],
        }),
    })
  return {
    take(symbols, choice) {
      if (repairer !== undefined) return repairer.setSymbols(symbols)
      if (canRepair(choice, adapter)) repairer = start(symbols)
    },
    noteLost: (streams, position) => repairer?.noteLost(tradeSymbols(streams), position),
    counts: () => repairer?.counts(),
    async stop() {
      await repairer?.stop()
    },
  }
}
