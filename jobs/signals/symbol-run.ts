/**
 * Brings one symbol's signals up to date: reads new trades and books a part at a time, and replaces
 * the part's rows together with the progress in one transaction. What the detectors have seen stays
 * in memory between runs. If it is lost, it is rebuilt from the run-up and gives the same rows.
 */
import type { Client } from '#core/node/pool.ts'
import { withClient } from '#core/node/pool.ts'
import { RUN_UP_US, TradeSignals } from '#core/signals/trade-signals.ts'
import type { Signal } from '#core/signals/signal.ts'
import { WALL_RUN_UP_US, type WallDraft, WallSignals } from '#core/signals/wall-signals.ts'
import { DAY_US, type Micros, micros, SECOND_US } from '#core/time.ts'
import { barStart, computableFrom, type Progress } from './progress.ts'
import { confirmedAt, readBooks, readTrades, type SampleRow } from './read-rows.ts'
import { replacePart, type WriteTarget } from './write-rows.ts'

/** Kept between runs. */
export interface KeptSignals {
  trades: { readonly signals: TradeSignals; to: Micros } | undefined
  books: { readonly signals: WallSignals; to: Micros } | undefined
}

export interface SymbolRun extends WriteTarget {
  readonly progress: Progress
  readonly kept: KeptSignals
  readonly signal: AbortSignal
}

const PART_US = 900 * SECOND_US

/** Returns the number of new rows. An abort ends it between two parts. */
export async function runSymbol(run: SymbolRun): Promise<number> {
  return (await runTrades(run)) + (await runBooks(run))
}

async function runTrades(run: SymbolRun): Promise<number> {
  const { pool, symbol, progress, kept, signal } = run
  const { symbol_id, trades_end: end, whole_from, tick_size, gaps } = symbol
  const start = laterOf(progress.trades_to, whole_from.trades, RUN_UP_US)
  if (end === undefined || end <= start) return 0
  const fold = kept.trades?.to === start ? kept.trades.signals : new TradeSignals(tick_size, gaps)
  const is_new = fold !== kept.trades?.signals
  kept.trades = undefined
  let at = is_new ? micros(barStart(start) - RUN_UP_US) : start
  let row_count = 0
  while (at < end) {
    if (signal.aborted) return row_count
    // Parts end at `start`, so that nothing before it is written.
    const to = micros(Math.min(end, at + PART_US, at < start ? start : Infinity))
    const trades = await withClient(pool, (client) => readTrades(client, symbol_id, at, to))
    for (const { ts, price, qty, is_buyer_maker, id } of trades) {
      fold.add(ts, price, qty, is_buyer_maker, id)
    }
    fold.advance(to)
    const found = fold.take()
    if (at >= start) {
      row_count += await replacePart(run, { kind: 'trades', from: at, to }, found)
      kept.trades = { signals: fold, to }
    }
    at = to
  }
  return row_count
}

async function runBooks(run: SymbolRun): Promise<number> {
  const { pool, symbol, progress, kept, signal } = run
  const { symbol_id, books_end: end, whole_from, gaps } = symbol
  const start = laterOf(progress.books_to, whole_from.books, WALL_RUN_UP_US)
  if (end === undefined || end <= start) return 0
  const walls = kept.books?.to === start ? kept.books.signals : new WallSignals(gaps)
  const is_new = walls !== kept.books?.signals
  kept.books = undefined
  let at = is_new ? micros(start - WALL_RUN_UP_US) : start
  let row_count = 0
  while (at < end) {
    if (signal.aborted) return row_count
    const to = micros(Math.min(end, at + PART_US, at < start ? start : Infinity))
    const found = await withClient(pool, (client) =>
      seeBooks(client, walls, symbol_id, at, to, at >= start),
    )
    if (at >= start) {
      row_count += await replacePart(run, { kind: 'books', from: at, to }, found)
      kept.books = { signals: walls, to }
    }
    at = to
  }
  return row_count
}

/** Takes the books of [from, to) and the trades among them. */
async function seeBooks(
  client: Client,
  walls: WallSignals,
  symbol_id: number,
  from: Micros,
  to: Micros,
  is_wanted: boolean,
): Promise<readonly Signal[]> {
  const trades = await readTrades(client, symbol_id, from, to)
  const samples = await readBooks(client, symbol_id, from, to)
  const found: Signal[] = []
  let next = 0
  const addTrades = (up_to: number): void => {
    for (; next < trades.length && trades[next]!.ts <= up_to; next++) {
      const { price, qty, is_buyer_maker } = trades[next]!
      walls.addTrade(price, qty, is_buyer_maker)
    }
  }
  for (const row of samples) {
    addTrades(row.sample.ts)
    const drafts = walls.add(row.sample)
    if (is_wanted) found.push(...(await confirm(client, symbol_id, row, drafts)))
  }
  addTrades(Infinity)
  return found
}

/** Only an update of the same day confirms a book: a day's signals are a function of the day. */
async function confirm(
  client: Client,
  symbol_id: number,
  { sample, final_update_id }: SampleRow,
  drafts: readonly WallDraft[],
): Promise<readonly Signal[]> {
  if (drafts.length === 0) return []
  const day_end = micros(sample.ts - (sample.ts % DAY_US) + DAY_US)
  const ts = await confirmedAt(client, symbol_id, sample.ts, day_end, final_update_id)
  return ts === undefined ? [] : drafts.map((draft) => ({ ...draft, ts }))
}

/** Where rows can be computed from: later than `to` if the rows before it are gone. */
function laterOf(to: Micros, whole_from: number, run_up_us: number): Micros {
  if (barStart(to) - run_up_us >= whole_from) return to
  return micros(Math.max(to, computableFrom(to, whole_from, run_up_us)))
}
