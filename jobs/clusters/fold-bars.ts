/** Bars with their cells, from stored minutes and from the newest ones. */
import { barOfBase, type BaseMinute } from '#core/clusters/base.ts'
import { type Bar, binBar, joinBars } from '#core/clusters/bar.ts'
import { MINUTE_US } from '#core/clusters/intervals.ts'
import type { Decimal } from '#core/decimals.ts'
import type { Pool } from '#core/node/pool.ts'
import { type Micros, micros } from '#core/time.ts'
import { selectBase } from './base-rows.ts'
import { isChanging } from './sync.ts'

export interface FoldedSpan {
  readonly from: Micros
  readonly to: Micros
  /** Width of the bins. */
  readonly step: Decimal
  /** Minutes of the span with trades; other numbers mean that late trades came in between. */
  readonly minute_count: number
}

/** Minutes of one symbol. */
export interface MinuteSource {
  readonly pool: Pool
  readonly symbol_id: number
  /** Minutes before it are stored; those after it are in `tail`. */
  readonly final_to: Micros
  readonly tail: readonly BaseMinute[]
}

/** Minutes that one statement reads: an active symbol has 10 KB in each. */
export const READ_US = 240 * MINUTE_US

/**
 * A bar of each span, in its bins and in the order of the spans. In each span at least one minute
 * has trades. Spans near each other are read together: a statement per bar takes longer than the
 * bars do.
 */
export async function foldSpans(
  source: MinuteSource,
  spans: readonly FoldedSpan[],
): Promise<readonly Bar[]> {
  const bars = new Map<FoldedSpan, Bar>()
  for (const near of readTogether(spans)) {
    const folds = near.map((span) => new SpanFold(span))
    for await (const minutes of readMinutes(source, near[0]!.from, near.at(-1)!.to)) {
      for (const fold of folds) fold.add(minutes)
    }
    for (const fold of folds) bars.set(fold.span, fold.bar())
  }
  return spans.map((span) => bars.get(span)!)
}

/** In order of time, in groups that one statement reads. */
function readTogether(spans: readonly FoldedSpan[]): readonly (readonly FoldedSpan[])[] {
  const groups: FoldedSpan[][] = []
  for (const span of spans.toSorted((a, b) => a.from - b.from)) {
    const group = groups.at(-1)
    if (group !== undefined && span.to - group[0]!.from <= READ_US) group.push(span)
    else groups.push([span])
  }
  return groups
}

async function* readMinutes(
  { pool, symbol_id, final_to, tail }: MinuteSource,
  from: Micros,
  to: Micros,
): AsyncGenerator<readonly BaseMinute[]> {
  const stored_to = Math.min(to, final_to)
  for (let at = from; at < stored_to; at = micros(at + READ_US)) {
    yield await selectBase(pool, symbol_id, at, micros(Math.min(at + READ_US, stored_to)))
  }
  yield tail
}

class SpanFold {
  readonly span: FoldedSpan
  #bar: Bar | undefined
  #minute_count = 0

  constructor(span: FoldedSpan) {
    this.span = span
  }

  add(minutes: readonly BaseMinute[]): void {
    const { from, to, step } = this.span
    const inside = minutes.filter(({ ts }) => ts >= from && ts < to)
    const bars = inside.flatMap((minute) => barOfBase(minute) ?? [])
    if (bars.length === 0) return
    this.#minute_count += bars.length
    const binned = bars.map((bar) => binBar(bar, step))
    this.#bar = joinBars(from, this.#bar === undefined ? binned : [this.#bar, ...binned])
  }

  bar(): Bar {
    const is_whole = this.#minute_count === this.span.minute_count
    if (this.#bar === undefined || !is_whole) throw isChanging()
    return this.#bar
  }
}
