/**
 * Builds the files of candles, clusters, trades, quotes and signals of a day on disk, in one pass
 * over each symbol's rows. Memory holds one symbol's candles and books, and one row group, however
 * large the day is.
 */
import { join } from 'node:path'
import { SIGNALS_SET } from '#core/signals/registry.ts'
import { dayRange, SECOND_US } from '#core/time.ts'
import { CandleFold } from '../../candles/candle-fold.ts'
import { CANDLES } from '../../candles/columns.ts'
import { carriedQuote } from '../../day/carried.ts'
import type { StreamCoverage, SymbolSummary } from '../../day/coverage.ts'
import { type DaySymbol, gapsOf } from '../../day/events.ts'
import { exchangeDays, type ExchangeDay } from '../../day/exchange-day.ts'
import { blindRows } from '../../day/gaps.ts'
import { gridOf, type Grid } from '../../day/grid.ts'
import { signalColumns, signalRows } from '../../signals/rows.ts'
import { SymbolSignals } from '../../signals/symbol-day.ts'
import type { DatasetRows } from '../files/dataset-rows.ts'
import { createDayFiles, type DayFiles } from '../files/day-files.ts'
import { namesOf, placesOf } from '../files/names.ts'
import { encodePart } from '../files/part.ts'
import { ClusterDay } from './cluster-day.ts'
import type { MarketOptions, MarketSet } from './market-set.ts'
import { RawDay } from './raw-day.ts'
import { QUOTES_SET, type RawDataset, TRADES_SET } from './raw-sets.ts'

export async function buildMarketFiles(options: MarketOptions): Promise<readonly MarketSet[]> {
  const { day, dir, date } = options
  const names = namesOf(day.symbols)
  const candle_files = await createDayFiles(join(dir, CANDLES.dataset), CANDLES, names, date)
  const signal_files = await createDayFiles(
    join(dir, SIGNALS_SET.dataset),
    SIGNALS_SET,
    names,
    date,
  )
  const clusters = await ClusterDay.create(dir, day.symbols, date)
  const raw_days: RawDay[] = []
  try {
    const trades = await RawDay.create(dir, TRADES_SET, date)
    raw_days.push(trades)
    const quotes = await RawDay.create(dir, QUOTES_SET, date)
    raw_days.push(quotes)
    const write = async (
      files: DayFiles,
      { exchange, symbol }: DaySymbol,
      made: Made,
    ): Promise<void> => {
      const rows = { exchange, symbol, ...made }
      const { columns } = files.set
      // A row group cannot be empty.
      const parts = made.ts.length === 0 ? [] : [encodePart(columns, rows, placesOf(names, rows))]
      if (parts.length > 0) await files.write(rows, parts)
    }
    const candle_counts: number[] = []
    const signal_counts: number[] = []
    const summaries = await fillFiles(
      options,
      { trades, quotes, clusters },
      async (symbol, made) => {
        await write(candle_files, symbol, made.candles)
        await write(signal_files, symbol, made.signals)
        candle_counts.push(made.candles.ts.length)
        signal_counts.push(made.signals.ts.length)
      },
    )
    const sets = [
      await tableSet(candle_files, summaries, candle_counts),
      await clusters.finish(summaries),
    ]
    for (const raw of raw_days) sets.push(await raw.finish(summaries))
    sets.push(await tableSet(signal_files, summaries, signal_counts))
    return sets
  } finally {
    await candle_files.close()
    await signal_files.close()
    await clusters.close()
    for (const raw of raw_days) await raw.close()
  }
}

type Made = Pick<DatasetRows, 'ts' | 'columns'>

/** Rows of a symbol's day that are computed from its events. */
interface MadeRows {
  readonly candles: Made
  readonly signals: Made
}

interface MarketDays {
  readonly trades: RawDay
  readonly quotes: RawDay
  readonly clusters: ClusterDay
}

async function fillFiles(
  options: MarketOptions,
  { trades, quotes, clusters }: MarketDays,
  writeMade: (symbol: DaySymbol, made: MadeRows) => Promise<void>,
): Promise<readonly SymbolSummary[]> {
  const { day, date, is_complete, signal, onSymbol } = options
  const { from, to } = dayRange(date)
  const exchange_days = exchangeDays(day.symbols, from)
  const summaries: SymbolSummary[] = []
  for (const symbol of day.symbols) {
    const exchange_day = exchange_days.get(symbol.exchange)!
    const carried = await carriedQuote(day.reader, symbol, exchange_day.from)
    const first_ts = carried === undefined ? symbol.first_ts : exchange_day.from
    const recorded: RecordedDay = {
      symbol,
      exchange_day,
      grid: gridOf(first_ts, exchange_day.last_ts, SECOND_US),
    }
    const fold = new CandleFold(exchange_day.from)
    const signals = await SymbolSignals.open(day.reader, symbol, signal)
    const trade_count = await trades.addSymbol(options, symbol, (chunk) => {
      const rows = {
        row_count: chunk.row_count,
        ts_exchange: chunk.numbers('ts_exchange'),
        agg_trade_id: chunk.numbers('agg_trade_id'),
        price: chunk.numbers('price'),
        qty: chunk.numbers('qty'),
        is_buyer_maker: chunk.flags('is_buyer_maker'),
      }
      fold.add(rows)
      signals.add(rows)
      clusters.add(symbol, chunk)
    })
    await clusters.finishSymbol(symbol)
    const quote_count = await quotes.addSymbol(options, symbol)
    const found = signals.finish(is_complete ? to : exchange_day.last_ts)
    const rows = signalRows(symbol, found)
    await writeMade(symbol, {
      candles: fold.finish(recorded.grid, blindSeconds(recorded, 'trades')),
      signals: {
        ts: BigInt64Array.from(rows, ({ ts }) => BigInt(ts)),
        columns: signalColumns(rows),
      },
    })
    summaries.push({
      exchange: symbol.exchange,
      symbol: symbol.symbol,
      grid: recorded.grid,
      coverage: [
        covered(recorded, 'book_ticker', quote_count),
        covered(recorded, 'trades', trade_count),
      ],
    })
    onSymbol(summaries.length, day.symbols.length)
  }
  return summaries
}

/** A dataset whose files have a row group per symbol. */
async function tableSet(
  { set, dir, finish }: DayFiles,
  summaries: readonly SymbolSummary[],
  row_counts: readonly number[],
): Promise<MarketSet> {
  return {
    ...set,
    dir,
    row_count: row_counts.reduce((sum, count) => sum + count, 0),
    files: await finish(summaries),
    summaries: summaries.map((summary, i) => ({
      summary,
      rows: { channel: 'trades', row_count: row_counts[i]! },
    })),
  }
}

/** One symbol's day with the seconds that its files cover. */
interface RecordedDay {
  readonly symbol: DaySymbol
  readonly exchange_day: ExchangeDay
  /** One-second grid. */
  readonly grid: Grid
}

/** 1 for each second in which the stream was not fully recorded. */
function blindSeconds(
  { symbol, exchange_day, grid }: RecordedDay,
  channel: RawDataset,
): Uint8Array {
  const blind = blindRows(gapsOf(symbol, channel), grid)
  return exchange_day.channels.includes(channel) ? blind : blind.fill(1)
}

function covered(recorded: RecordedDay, channel: RawDataset, event_count: number): StreamCoverage {
  const { symbol, exchange_day } = recorded
  return {
    channel,
    event_count,
    present_s: blindSeconds(recorded, channel).filter((is_blind) => is_blind === 0).length,
    gaps: gapsOf(symbol, channel).filter((gap) => gap.to_ts >= exchange_day.from),
  }
}
