/** Builds the files of `lob_10` for chosen symbols. Memory holds one part of one symbol. */
import { join } from 'node:path'
import { dayRange } from '#core/time.ts'
import { type DaySymbol, gapsOf } from '../../day/events.ts'
import { exchangeDays } from '../../day/exchange-day.ts'
import { fitOf } from '../../day/fit-file.ts'
import { LOB_10, LOB_COLUMNS } from '../../lob/columns.ts'
import type { SymbolMoments } from '../../lob/fit.ts'
import { LobFold, type LobPart } from '../../lob/lob-fold.ts'
import { TEXT, createSmallParquet } from '../../parquet/small-file.ts'
import { createDayFiles } from '../files/day-files.ts'
import { describeFile } from '../files/describe-file.ts'
import { namesOf, placesOf } from '../files/names.ts'
import { encodePart, type PartBytes } from '../files/part.ts'
import { depthSummary } from './depth-summary.ts'
import type { MarketOptions, MarketSet } from './market-set.ts'

const NORMALISERS = 'normalisers.parquet'

export interface LobOptions extends Omit<MarketOptions, 'traded_before' | 'is_complete'> {
  readonly lob_symbols: readonly string[]
  /** Of the day before; empty if it was not built. */
  readonly moments_before: readonly SymbolMoments[]
}

export interface LobDay {
  /** Undefined if none of the symbols is in the day. */
  readonly set: MarketSet | undefined
  /** Of the day's rows, for the next day. */
  readonly moments: readonly SymbolMoments[]
}

export async function buildLob(options: LobOptions): Promise<LobDay> {
  const { day, dir: work_dir, date, lob_symbols, moments_before, signal } = options
  const chosen = day.symbols.filter(({ symbol }) => lob_symbols.includes(symbol))
  const moments: SymbolMoments[] = []
  if (chosen.length === 0) return { set: undefined, moments }
  const exchange_days = exchangeDays(day.symbols, dayRange(date).from)
  const names = namesOf(chosen)
  const dir = join(work_dir, LOB_10.dataset)
  const files = await createDayFiles(dir, LOB_10, names, date)
  const summaries: MarketSet['summaries'][number][] = []
  try {
    for (const symbol of chosen) {
      const exchange_day = exchange_days.get(symbol.exchange)!
      const name = { exchange: symbol.exchange, symbol: symbol.symbol }
      const parts: PartBytes[] = []
      const encode = ({ ts, columns }: LobPart): void => {
        parts.push(encodePart(LOB_10.columns, { ...name, ts, columns }, placesOf(names, name)))
      }
      const fold = new LobFold(exchange_day.from, gapsOf(symbol, 'depth_events'), encode)
      let event_count = 0
      for await (const rows of day.reader.depth(symbol)) {
        signal.throwIfAborted()
        fold.add(rows)
        for (const row of rows) if (row.ts_exchange >= exchange_day.from) event_count += 1
      }
      const of_day = fold.finish()
      if (of_day !== undefined) moments.push({ ...name, fit: of_day })
      // A row group cannot be empty.
      if (parts.length > 0) await files.write(name, parts)
      const summary = depthSummary(symbol, exchange_day, event_count)
      summaries.push({ summary, rows: { channel: 'depth_events', row_count: fold.row_count } })
    }
    const made = await files.finish(summaries.map(({ summary }) => summary))
    const path = join(dir, NORMALISERS)
    const count = await writeNormalisers(path, date, chosen, moments_before)
    const row_count = summaries.reduce((sum, { rows }) => sum + rows.row_count, 0)
    const normalisers = await describeFile(dir, NORMALISERS, 'parquet', count)
    return { set: { ...LOB_10, dir, row_count, files: [...made, normalisers], summaries }, moments }
  } finally {
    await files.close()
  }
}

/** One row per symbol and column of which the day before knows the moments. */
async function writeNormalisers(
  path: string,
  date: LobOptions['date'],
  chosen: readonly DaySymbol[],
  before: readonly SymbolMoments[],
): Promise<number> {
  const rows = chosen.flatMap(({ exchange, symbol }) =>
    (fitOf(before, { exchange, symbol }) ?? []).map(({ mean, std }, place) => {
      return { exchange, symbol, column_name: LOB_COLUMNS[place]!, mean, std }
    }),
  )
  const required = { repetition_type: 'REQUIRED' } as const
  const fields = [
    ...['exchange', 'symbol', 'column_name'].map((name) => ({ name, ...required, ...TEXT })),
    ...['mean', 'std'].map((name) => ({ name, ...required, type: 'DOUBLE' }) as const),
  ]
  const { dataset, schema_version } = LOB_10
  const file = createSmallParquet(path, fields, fields.length, { dataset, schema_version, date })
  await file.write([
    { name: 'exchange', data: rows.map((row) => row.exchange) },
    { name: 'symbol', data: rows.map((row) => row.symbol) },
    { name: 'column_name', data: rows.map((row) => row.column_name) },
    { name: 'mean', data: rows.map((row) => row.mean) },
    { name: 'std', data: rows.map((row) => row.std) },
  ])
  await file.finish()
  return rows.length
}
