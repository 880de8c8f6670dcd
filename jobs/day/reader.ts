/** A symbol's day from where it lies: each part of it from Postgres or from the archive. */
import { SNAPSHOT_LATE_US } from '#core/book-replay.ts'
import type { Client } from '#core/node/pool.ts'
import { DAY_US, dayRange, HOUR_US, micros, type Day } from '#core/time.ts'
import type { ArchiveReader } from '../archive/read.ts'
import * as archived from './archive-rows.ts'
import { partsOf, type DayPlan, type Part } from './plan.ts'
import * as live from './postgres-rows.ts'
import type { DayReader, DaySymbol, FeatureChannel } from './source.ts'

/** A book is carried into the day where its newest snapshot is not older. */
const SNAPSHOT_AGE_MAX_US = 2 * HOUR_US

export interface Places {
  /** Inside a transaction that reads; undefined where the plan has no part in Postgres. */
  readonly client: Client | undefined
  readonly archive: ArchiveReader
}

export function createDayReader(plan: DayPlan, day: Day, places: Places): DayReader {
  const { from, to } = dayRange(day)
  const { archive } = places
  const client = (): Client => {
    if (places.client === undefined) throw new Error('The plan reads Postgres, but has no client.')
    return places.client
  }
  const parts = (symbol: DaySymbol, channel: FeatureChannel, start = from): readonly Part[] =>
    partsOf(plan, symbol.exchange, channel, start, to)
  const snapshotBefore = (symbol: DaySymbol): Promise<number | undefined> =>
    newest(
      partsOf(plan, symbol.exchange, 'depth_events', micros(from - SNAPSHOT_AGE_MAX_US), from),
      (part) =>
        part.kind === 'postgres'
          ? live.selectLastSnapshot(client(), symbol, part)
          : archived.lastSnapshot(archive, symbol, part.hour, part),
    )
  const dayBefore = (symbol: DaySymbol, channel: FeatureChannel): readonly Part[] =>
    partsOf(plan, symbol.exchange, channel, micros(from - DAY_US), from)
  return {
    quotes: (symbol, start) =>
      overParts(parts(symbol, 'book_ticker', start), (part) =>
        part.kind === 'postgres'
          ? live.readQuotes(client(), symbol, part)
          : archived.readQuotes(archive, symbol, part.hour),
      ),
    trades: (symbol, start) =>
      overParts(parts(symbol, 'trades', start), (part) =>
        part.kind === 'postgres'
          ? live.readTrades(client(), symbol, part)
          : archived.readTrades(archive, symbol, part.hour),
      ),
    marks: (symbol, start) =>
      overParts(parts(symbol, 'mark_price', start), (part) =>
        part.kind === 'postgres'
          ? live.readMarks(client(), symbol, part)
          : archived.readMarks(archive, symbol, part.hour),
      ),
    liquidations: (symbol, start) =>
      overParts(parts(symbol, 'liquidations', start), (part) =>
        part.kind === 'postgres'
          ? live.readLiquidations(client(), symbol, part)
          : archived.readLiquidations(archive, symbol, part.hour),
      ),
    async *depth(symbol, begin) {
      const snapshot_ts = begin === undefined ? await snapshotBefore(symbol) : undefined
      const start = snapshot_ts === undefined ? (begin ?? from) : micros(snapshot_ts - SNAPSHOT_LATE_US)
      yield* overParts(partsOf(plan, symbol.exchange, 'depth_events', start, to), (part) =>
        part.kind === 'postgres'
          ? live.readBookChanges(client(), symbol, part)
          : archived.readBookChanges(archive, symbol, part.hour, part),
      )
    },
    quoteBefore: (symbol) =>
      newest(dayBefore(symbol, 'book_ticker'), (part) =>
        part.kind === 'postgres'
          ? live.selectLastQuote(client(), symbol, part)
          : archived.lastQuote(archive, symbol, part.hour),
      ),
    markBefore: (symbol) =>
      newest(dayBefore(symbol, 'mark_price'), (part) =>
        part.kind === 'postgres'
          ? live.selectLastMark(client(), symbol, part)
          : archived.lastMark(archive, symbol, part.hour),
      ),
  }
}

async function* overParts<T>(
  parts: readonly Part[],
  read: (part: Part) => AsyncIterable<T>,
): AsyncGenerator<T> {
  for (const part of parts) yield* read(part)
}

/** What the newest part that has any gives. */
async function newest<T>(
  parts: readonly Part[],
  find: (part: Part) => Promise<T | undefined>,
): Promise<T | undefined> {
  for (const part of parts.toReversed()) {
    const found = await find(part)
    if (found !== undefined) return found
  }
  return undefined
}
