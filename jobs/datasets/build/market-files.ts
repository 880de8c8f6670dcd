/**
 * Builds the files of candles, clusters, trades, quotes, bars, barrier labels and signals of a day
 * on disk, in one pass over each symbol's rows. Memory holds one symbol's candles, bars and books,
 * and one row group, however large the day is.
 */
import { join } from 'node:path'
import type { FeatureSet } from '#core/features.ts'
import { SIGNALS_SET } from '#core/signals/registry.ts'
import { dayRange, SECOND_US } from '#core/time.ts'
import { BarFold } from '../../bars/bar-fold.ts'
import { BAR_PARAMETERS, BARS } from '../../bars/columns.ts'
import type { SymbolTotals } from '../../bars/fit.ts'
import { addTrades, barRows } from '../../bars/rows.ts'
import type { Totals } from '../../bars/totals.ts'
import { barrierLabels } from '../../barriers/barrier-labels.ts'
import { BARRIER_PARAMETERS, LABELS_BARRIER } from '../../barriers/columns.ts'
import { addQuotes, barrierRows } from '../../barriers/rows.ts'
import { SecondQuoteFold } from '../../barriers/second-quotes.ts'
import { CandleFold } from '../../candles/candle-fold.ts'
import { CANDLES } from '../../candles/columns.ts'
import { carriedQuote } from '../../day/carried.ts'
import type { StreamCoverage, SymbolSummary } from '../../day/coverage.ts'
import { type DaySymbol, gapsOf } from '../../day/events.ts'
import { exchangeDays, type ExchangeDay } from '../../day/exchange-day.ts'
import { fitOf } from '../../day/fit-file.ts'
import { blindRows, cutsOf } from '../../day/gaps.ts'
import { gridOf, type Grid } from '../../day/grid.ts'
import { signalColumns, signalRows } from '../../signals/rows.ts'
import { SymbolSignals } from '../../signals/symbol-day.ts'
import type { DatasetRows } from '../files/dataset-rows.ts'
import { createDayFiles, type DayFiles } from '../files/day-files.ts'
import { namesOf, placesOf } from '../files/names.ts'
import { encodePart } from '../files/part.ts'
import { ClusterDay } from './cluster-day.ts'
import type { MarketDay, MarketOptions, MarketSet } from './market-set.ts'
import { RawDay } from './raw-day.ts'
import { QUOTES_SET, type RawDataset, TRADES_SET } from './raw-sets.ts'

export async function buildMarketFiles(options: MarketOptions): Promise<MarketDay> {
  const { day, dir, date } = options
  const names = namesOf(day.symbols)
  const tables: TableDay[] = []
  for (const { set, channel } of TABLE_SETS) {
    const files = await createDayFiles(join(dir, set.dataset), set, names, date)
    tables.push({ files, channel, row_counts: [] })
  }
  const clusters = await ClusterDay.create(dir, day.symbols, date)
  const raw_days: RawDay[] = []
  try {
    const trades = await RawDay.create(dir, TRADES_SET, date)
    raw_days.push(trades)
    const quotes = await RawDay.create(dir, QUOTES_SET, date)
    raw_days.push(quotes)
    const traded: SymbolTotals[] = []
    const summaries = await fillFiles(
      options,
      { trades, quotes, clusters },
      async ({ exchange, symbol }, { totals, ...made }) => {
        if (totals !== undefined) traded.push({ exchange, symbol, fit: totals })
        for (const { files, row_counts } of tables) {
          const { dataset, columns } = files.set
          const rows = { exchange, symbol, ...made[dataset as keyof typeof made] }
          row_counts.push(rows.ts.length)
          // A row group cannot be empty.
          if (rows.ts.length === 0) continue
          await files.write(rows, [encodePart(columns, rows, placesOf(names, rows))])
        }
      },
    )
    const [candles, ...others] = tables
    const sets = [await tableSet(candles!, summaries), await clusters.finish(summaries)]
    for (const raw of raw_days) sets.push(await raw.finish(summaries))
    for (const table of others) sets.push(await tableSet(table, summaries))
    return { sets, traded }
  } finally {
    for (const { files } of tables) await files.close()
    await clusters.close()
    for (const raw of raw_days) await raw.close()
  }
}

interface TableSet {
  readonly set: FeatureSet
  /** The stream whose seconds its manifest counts. */
  readonly channel: RawDataset
}

/** Datasets of rows that are computed from a symbol's events. Candles come first. */
const TABLE_SETS: readonly TableSet[] = [
  { set: CANDLES, channel: 'trades' },
  { set: BARS, channel: 'trades' },
  { set: LABELS_BARRIER, channel: 'book_ticker' },
  { set: SIGNALS_SET, channel: 'trades' },
]

const PARAMETERS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  [BARS.dataset]: BAR_PARAMETERS,
  [LABELS_BARRIER.dataset]: BARRIER_PARAMETERS,
}

interface TableDay extends Pick<TableSet, 'channel'> {
  readonly files: DayFiles
  /** Per symbol of the day. */
  readonly row_counts: number[]
}

type Made = Pick<DatasetRows, 'ts' | 'columns'>

/** Rows of a symbol's day by dataset, and what it traded. */
interface MadeRows {
  readonly candles: Made
  readonly bars: Made
  readonly labels_barrier: Made
  readonly signals: Made
  readonly totals: Totals | undefined
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
  const { day, date, is_complete, traded_before, signal, onSymbol } = options
  const { from, to } = dayRange(date)
  const exchange_days = exchangeDays(day.symbols, from)
  const summaries: SymbolSummary[] = []
  for (const symbol of day.symbols) {
    const exchange_day = exchange_days.get(symbol.exchange)!
    const carried = await carriedQuote(day.reader, symbol, exchange_day.from)
    const first_ts = carried === undefined ? symbol.first_ts : exchange_day.from
    const grid = gridOf(first_ts, exchange_day.last_ts, SECOND_US)
    const recorded: RecordedDay = { symbol, exchange_day, grid }
    const fold = new CandleFold(exchange_day.from)
    const bar_fold = new BarFold(fitOf(traded_before, symbol), cutsOf(gapsOf(symbol, 'trades')))
    const seconds = new SecondQuoteFold(grid, cutsOf(gapsOf(symbol, 'book_ticker')), carried)
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
      addTrades(bar_fold, chunk)
    })
    await clusters.finishSymbol(symbol)
    const quote_count = await quotes.addSymbol(options, symbol, (chunk) => {
      addQuotes(seconds, chunk)
    })
    const found = signals.finish(is_complete ? to : exchange_day.last_ts)
    const rows = signalRows(symbol, found)
    const { bars, totals } = bar_fold.finish()
    await writeMade(symbol, {
      candles: fold.finish(recorded.grid, blindSeconds(recorded, 'trades')),
      bars: barRows(bars),
      labels_barrier: barrierRows(barrierLabels(seconds.finish(), grid, exchange_day.from)),
      signals: {
        ts: BigInt64Array.from(rows, ({ ts }) => BigInt(ts)),
        columns: signalColumns(rows),
      },
      totals,
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
  { files: { set, dir, finish }, channel, row_counts }: TableDay,
  summaries: readonly SymbolSummary[],
): Promise<MarketSet> {
  const parameters = PARAMETERS[set.dataset]
  return {
    ...set,
    ...(parameters === undefined ? {} : { parameters }),
    dir,
    row_count: row_counts.reduce((sum, count) => sum + count, 0),
    files: await finish(summaries),
    summaries: summaries.map((summary, i) => ({
      summary,
      rows: { channel, row_count: row_counts[i]! },
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
