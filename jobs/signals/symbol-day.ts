/** Computes the signals of one symbol's UTC day from its recorded trades and depth. */
import { HeldDiffs } from '#core/book-replay.ts'
import type { Signal } from '#core/signals/signal.ts'
import { TradeSignals } from '#core/signals/trade-signals.ts'
import { type BookSample, type WallDraft, WallSignals } from '#core/signals/wall-signals.ts'
import { dayOf, dayRange, type Micros, micros, SECOND_US } from '#core/time.ts'
import { type DayReader, type DaySymbol, gapsOf } from '../day/events.ts'
import type { StreamGap } from '../day/gaps.ts'
import { TopSampler } from '../topn/sampler.ts'
import { sampleOf } from './samples.ts'

/** A sample, and the time of the update that shows that nothing was missed up to it. */
interface KnownSample {
  readonly sample: BookSample
  readonly known_at: Micros
}

/** Trades in the order of (ts_exchange, id). Arrays may be longer than `row_count`. */
export interface SignalTrades {
  readonly row_count: number
  readonly ts_exchange: Float64Array
  readonly agg_trade_id: Float64Array
  readonly price: Float64Array
  readonly qty: Float64Array
  /** 1: the taker sold. */
  readonly is_buyer_maker: Uint8Array
}

/** The book once a second, as orderbook_topn has it. */
const CADENCE = { min_us: SECOND_US, max_us: SECOND_US }

export class SymbolSignals {
  readonly #trades: TradeSignals
  readonly #walls: WallSignals
  readonly #samples: Iterator<KnownSample>
  #next: KnownSample | undefined
  readonly #found: Signal[] = []

  private constructor(symbol: DaySymbol, samples: readonly KnownSample[]) {
    const gaps = gapsOf(symbol, 'trades').filter(isOpen)
    this.#trades = new TradeSignals(symbol.tick_size, gaps)
    this.#walls = new WallSignals(gaps)
    this.#samples = samples.values()
    this.#next = this.#nextSample()
  }

  /** Reads the symbol's depth. Memory holds a sample for every second of the day. */
  static async open(
    reader: Pick<DayReader, 'depth'>,
    symbol: DaySymbol,
    signal: AbortSignal,
  ): Promise<SymbolSignals> {
    const has_depth = symbol.channels.includes('depth_events')
    return new SymbolSignals(symbol, has_depth ? await readSamples(reader, symbol, signal) : [])
  }

  add(trades: SignalTrades): void {
    const { row_count, ts_exchange, agg_trade_id, price, qty, is_buyer_maker } = trades
    for (let i = 0; i < row_count; i++) {
      const ts = micros(ts_exchange[i]!)
      const is_sold = is_buyer_maker[i] === 1
      this.#seeBooks(ts)
      this.#trades.add(ts, price[i]!, qty[i]!, is_sold, agg_trade_id[i]!)
      this.#walls.addTrade(price[i]!, qty[i]!, is_sold)
    }
  }

  /** All signals. `clock`: nothing that happened before it is missing. */
  finish(clock: Micros): readonly Signal[] {
    this.#seeBooks(micros(Infinity))
    this.#trades.advance(clock)
    return [...this.#trades.take(), ...this.#found]
  }

  /** Takes the samples before the trade: a sample follows all trades of its own time. */
  #seeBooks(ts: Micros): void {
    while (this.#next !== undefined && this.#next.sample.ts < ts) {
      const { sample, known_at } = this.#next
      this.#found.push(...confirmed(this.#walls.add(sample), known_at))
      this.#next = this.#nextSample()
    }
  }

  #nextSample(): KnownSample | undefined {
    const next = this.#samples.next()
    return next.done === true ? undefined : next.value
  }
}

export function confirmed(drafts: readonly WallDraft[], ts: Micros): readonly Signal[] {
  return drafts.map((draft) => ({ ...draft, ts }))
}

/** Gaps in which events are still missing. */
export function isOpen({ repaired }: Pick<StreamGap, 'repaired'>): boolean {
  return !repaired
}

async function readSamples(
  reader: Pick<DayReader, 'depth'>,
  symbol: DaySymbol,
  signal: AbortSignal,
): Promise<readonly KnownSample[]> {
  const { from } = dayRange(dayOf(symbol.first_ts))
  const sampler = new TopSampler(CADENCE, from)
  const samples: KnownSample[] = []
  const diffs = new HeldDiffs(sampler, (diff) => {
    for (const row of sampler.take(diff)) {
      samples.push({ sample: sampleOf(row.ts_exchange, row.values), known_at: diff.ts_exchange })
    }
  })
  for await (const rows of reader.depth(symbol)) {
    signal.throwIfAborted()
    for (const row of rows) diffs.add(row, row.depth_kind === 'snapshot')
  }
  diffs.releaseBefore(Infinity)
  return samples
}
