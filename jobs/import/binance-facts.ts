/**
 * Files of Binance's public archive that no stream records: their lines. Times are milliseconds,
 * microseconds (spot since 2025-01-01), or text in UTC.
 */
import { FACT_TABLES, type FactTable } from '#core/fact-tables.ts'
import { cadenceOf } from '../facts/cadence.ts'
import { linewise, microsOf } from './binance.ts'
import { type Cell, type FactKind, idOf, numberOf, type Parsed, rejected } from './kind.ts'

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

interface Simple {
  readonly name: string
  readonly facts: FactTable
  readonly is_monthly_only?: true
  readonly parse: (cells: readonly string[]) => readonly Parsed[]
}

const SIMPLE: readonly FactKind[] = [
  { name: 'bookDepth', facts: FACT_TABLES.book_depth, parse: bookDepth },
  { name: 'metrics', facts: FACT_TABLES.open_interest, parse: metrics },
  {
    name: 'fundingRate',
    facts: FACT_TABLES.funding_rates,
    is_monthly_only: true as const,
    parse: fundingRate,
  },
].map(({ name, facts, parse, is_monthly_only }: Simple) => ({
  name,
  folder: name,
  facts,
  is_monthly_only: is_monthly_only ?? false,
  cadence: cadenceOf(name)!,
  createParser: linewise(parse),
}))

function klines(interval: string): FactKind | undefined {
  const name = `klines_${interval}`
  const cadence = cadenceOf(name)
  if (cadence === undefined) return undefined
  return {
    name,
    folder: 'klines',
    facts: FACT_TABLES.klines,
    is_monthly_only: false,
    cadence,
    createParser: linewise(kline(cadence.interval_s!)),
  }
}

/** `klines` are those of a minute; `klines_1h` those of an hour. */
export function factKind(name: string): FactKind | undefined {
  if (name === 'klines') return klines('1m')
  if (name.startsWith('klines_')) return klines(name.slice('klines_'.length))
  return SIMPLE.find((kind) => kind.name === name)
}

export const FACT_KINDS: readonly FactKind[] = [...SIMPLE, klines('1m')!]
