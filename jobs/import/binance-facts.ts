/**
 * Files of Binance's public archive that no stream records: their lines. Times are milliseconds,
 * microseconds (spot since 2025-01-01), or text in UTC.
 */
import { FACT_TABLES } from '#core/fact-tables.ts'
import { HOUR_US, SECOND_US } from '#core/time.ts'
import { linewise, microsOf } from './binance.ts'
import { type Cell, type FactKind, idOf, numberOf, type Parsed, rejected } from './kind.ts'

const FIVE_MINUTES_US = 300 * SECOND_US

/** `2024-03-29 00:05:00`, or a number. */
function timeOf(text: string | undefined): number | undefined {
  const match = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d{1,3})?)$/.exec(text ?? '')
  if (match === null) return microsOf(text)
  const ms = Date.parse(`${match[1]}T${match[2]}Z`)
  return Number.isNaN(ms) ? undefined : ms * 1_000
}

function row(ts: number | undefined, values: readonly (Cell | undefined)[]): readonly Parsed[] {
  if (ts === undefined) return rejected('no time')
  const cells = values.filter((value) => value !== undefined)
  if (cells.length < values.length) return rejected('a value is missing')
  return [{ kind: 'row', ts_exchange: ts, id: null, cells: [ts, ...cells] }]
}

/** calc_time, funding_interval_hours, last_funding_rate */
function fundingRate([time, interval_h, rate]: readonly string[]): readonly Parsed[] {
  return row(timeOf(time), [numberOf(rate), idOf(interval_h) ?? null])
}

/** create_time, symbol, and six values, of which some may be empty */
function metrics([time, , ...values]: readonly string[]): readonly Parsed[] {
  const cells = Array.from({ length: 6 }, (_, i) => numberOf(values[i]) ?? null)
  if (cells.every((cell) => cell === null)) return [{ kind: 'void', id: null }]
  return row(timeOf(time), cells)
}

/** timestamp, percentage, depth, notional */
function bookDepth([time, percentage, depth, notional]: readonly string[]): readonly Parsed[] {
  return row(timeOf(time), [numberOf(percentage), numberOf(depth), numberOf(notional)])
}

/** open_time, open, high, low, close, volume, close_time, quote volume, count, and takers' part */
function kline(interval_s: number): (cells: readonly string[]) => readonly Parsed[] {
  return (cells) => {
    const [time, open, high, low, close, volume, , notional, count, buy, buy_notional] = cells
    const prices = [open, high, low, close, volume, notional].map(numberOf)
    return row(timeOf(time), [
      interval_s,
      ...prices,
      idOf(count),
      numberOf(buy),
      numberOf(buy_notional),
    ])
  }
}

const simple = { interval_s: undefined, starts_at_once: false, is_monthly_only: false } as const

const SIMPLE: readonly FactKind[] = [
  {
    ...simple,
    name: 'bookDepth',
    folder: 'bookDepth',
    facts: FACT_TABLES.book_depth,
    silence_us: FIVE_MINUTES_US,
    createParser: linewise(bookDepth),
  },
  {
    ...simple,
    name: 'metrics',
    folder: 'metrics',
    facts: FACT_TABLES.open_interest,
    silence_us: FIVE_MINUTES_US + 60 * SECOND_US,
    createParser: linewise(metrics),
  },
  {
    ...simple,
    name: 'fundingRate',
    folder: 'fundingRate',
    facts: FACT_TABLES.funding_rates,
    is_monthly_only: true,
    // Every eight hours at the longest.
    silence_us: 8 * HOUR_US + FIVE_MINUTES_US,
    createParser: linewise(fundingRate),
  },
]

const SECONDS_OF: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 }

function klines(interval: string): FactKind | undefined {
  const match = /^([1-9]\d?)([smhd])$/.exec(interval)
  if (match === null) return undefined
  const interval_s = Number(match[1]) * SECONDS_OF[match[2]!]!
  return {
    name: `klines_${interval}`,
    folder: 'klines',
    interval_s,
    facts: FACT_TABLES.klines,
    is_monthly_only: false,
    silence_us: interval_s * SECOND_US,
    starts_at_once: true,
    createParser: linewise(kline(interval_s)),
  }
}

/** `klines` are those of a minute; `klines_1h` those of an hour. */
export function factKind(name: string): FactKind | undefined {
  if (name === 'klines') return klines('1m')
  if (name.startsWith('klines_')) return klines(name.slice('klines_'.length))
  return SIMPLE.find((kind) => kind.name === name)
}

export const FACT_KINDS: readonly FactKind[] = [...SIMPLE, klines('1m')!]
