/** A thread of same-columns.ts: one symbol's columns of quotes and trades, as Parquet pages. */
import { closeSync, openSync, readSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { FEATURE_SETS, type Feature } from '#core/features.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import { type Day, dayRange, SECOND_US } from '#core/time.ts'
import { createArchiveReader } from '../../jobs/archive/read.ts'
import { encodePages, type PartPages } from '../../jobs/datasets/files/part.ts'
import type { DayPlan } from '../../jobs/day/day-plan.ts'
import type { DayReader, DaySymbol } from '../../jobs/day/events.ts'
import { gridOf, gridTimes, hoursOf } from '../../jobs/day/grid.ts'
import { createDayReader, openParts } from '../../jobs/day/reader.ts'
import { foldQuotes, foldTrades } from '../../jobs/features/fold-streams.ts'
import { MidReturns } from '../../jobs/features/mid-returns.ts'
import { windowColumns } from '../../jobs/features/window-columns.ts'
import { joinInputs } from '../../jobs/features/window-inputs.ts'

export interface ColumnsThread {
  readonly date: Day
  readonly plan: DayPlan
  /** Local path of each archive file, by object key. */
  readonly paths: Readonly<Record<string, string>>
  /** Columns to write, besides the key columns. */
  readonly names: readonly string[]
}

const KEYS = ['ts', 'exchange', 'symbol']

export function wantedColumns(names: readonly string[]): readonly Feature[] {
  return FEATURE_SETS.features_1s.columns.filter(({ name }) => [...KEYS, ...names].includes(name))
}

/** The archive's files on the local disk instead of the object store. */
function localFiles(paths: ColumnsThread['paths']): Pick<ObjectStore, 'readRange'> {
  return {
    readRange(key, from, to) {
      const file = openSync(paths[key]!, 'r')
      try {
        const bytes = new Uint8Array(to - from)
        return Promise.resolve(bytes.subarray(0, readSync(file, bytes, 0, bytes.length, from)))
      } finally {
        closeSync(file)
      }
    },
  }
}

if (parentPort !== null) run(parentPort, workerData as ColumnsThread)

function run(port: NonNullable<typeof parentPort>, thread: ColumnsThread): void {
  const { date, plan, paths, names } = thread
  const archive = createArchiveReader(localFiles(paths))
  const reader = createDayReader(openParts(plan, { client: undefined, archive }), date)
  port.on('message', (symbol: DaySymbol) => {
    void columnsOf(reader, date, symbol, names).then((part) => port.postMessage(part))
  })
}

async function columnsOf(
  reader: DayReader,
  date: Day,
  symbol: DaySymbol,
  names: readonly string[],
): Promise<PartPages> {
  const { from, to } = dayRange(date)
  const grid = gridOf(symbol.first_ts, symbol.last_ts, SECOND_US)
  const { channels } = symbol
  const day = {
    reader,
    symbol,
    exchange_day: { from, to, channels, last_ts: symbol.last_ts },
    grid,
    hours: hoursOf(grid),
    from: undefined,
    to: undefined,
    signal: new AbortController().signal,
  }
  const quotes = await foldQuotes(day, undefined)
  const trades = await foldTrades(day)
  const inputs = joinInputs(undefined, quotes, trades)
  const windows = windowColumns(inputs, inputs, new MidReturns(inputs))
  return encodePages(wantedColumns(names), {
    exchange: symbol.exchange,
    symbol: symbol.symbol,
    ts: gridTimes(grid),
    columns: { ...quotes.columns, ...trades.columns, ...windows },
  })
}
