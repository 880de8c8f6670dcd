/** Which files a range of days has at a source, and how they are named there. */
import { OperatorError } from '#core/errors.ts'
import type { Exchange } from '#core/symbols.ts'
import { addDays, type Day } from '#core/time.ts'
import { FACT_KINDS, factKind } from './binance-facts.ts'
import { BINANCE_KINDS } from './binance.ts'
import type { FactKind, FileKind, SourceFile, Unsupported } from './kind.ts'
import {
  TARDIS_EXCHANGES,
  TARDIS_KINDS,
  TARDIS_TRADES,
  TARDIS_UNSUPPORTED,
  tardisKind,
} from './tardis.ts'

export const SOURCES = ['binance', 'tardis'] as const
export type Source = (typeof SOURCES)[number]

export interface Wanted {
  readonly source: Source
  readonly exchange: Exchange
  readonly kinds: readonly string[]
  readonly symbols: readonly string[]
  /** Both inclusive. */
  readonly from: Day
  readonly to: Day
  /** Of Binance: whole months come as one file each. */
  readonly is_monthly: boolean
}

const BINANCE_MARKETS: Readonly<Partial<Record<Exchange, string>>> = {
  'binance-futures': 'futures/um',
  'binance-spot': 'spot',
}

/**
 * By day, so that each day can be built before the next one is fetched. Errors: `import_kind`,
 * `import_exchange`: what is asked for cannot be imported.
 */
export function listFiles(wanted: Wanted): readonly SourceFile[] {
  const { source, exchange, symbols, from, to } = wanted
  const kinds = wanted.kinds.map((name) => kindOf(source, name))
  for (const kind of kinds) refuseKind(wanted, kind)
  const is_monthly = source === 'binance' && wanted.is_monthly
  const files = kinds.flatMap((kind) => {
    const is_monthly_only = 'facts' in kind && kind.is_monthly_only
    const periods = is_monthly_only
      ? periodsOf(firstOfMonth(from), addDays(firstOfNextMonth(to), -1), true)
      : periodsOf(from, to, is_monthly)
    return periods.flatMap((period) =>
      symbols.map((symbol): SourceFile => {
        const of = { source, exchange, symbol, from: period.from, to: period.to }
        const path = pathOf(wanted, kind, symbol, period)
        return 'facts' in kind ? { ...of, kind, path } : { ...of, kind, path }
      }),
    )
  })
  return files.toSorted((left, right) => (left.to < right.to ? -1 : left.to > right.to ? 1 : 0))
}

/** Kinds of which Binance has files of futures only. */
const FUTURES_ONLY: readonly string[] = ['bookTicker', 'bookDepth', 'metrics', 'fundingRate']

function refuseKind({ source, exchange }: Wanted, kind: AnyKind): void {
  if (source === 'tardis' && 'table' in kind && kind.table === 'trades') refuseTrades(exchange)
  if (source !== 'binance' || exchange !== 'binance-spot' || !FUTURES_ONLY.includes(kind.name)) {
    return
  }
  throw new OperatorError('import_kind', `binance has no files ${kind.name} of ${exchange}.`)
}

type AnyKind = FileKind | FactKind

function refuseTrades(exchange: Exchange): void {
  if (TARDIS_TRADES.includes(exchange)) return
  throw new OperatorError(
    'import_kind',
    `Trades of ${exchange} cannot be imported: the files have other ids than its live stream.`,
    { hint: `Trades of ${TARDIS_TRADES.join(' and ')} can be.` },
  )
}

export function kindsOf(source: Source): {
  readonly supported: readonly AnyKind[]
  readonly unsupported: readonly Unsupported[]
} {
  return source === 'binance'
    ? { supported: [...BINANCE_KINDS, ...FACT_KINDS], unsupported: [] }
    : { supported: TARDIS_KINDS, unsupported: TARDIS_UNSUPPORTED }
}

function kindOf(source: Source, name: string): AnyKind {
  const { supported, unsupported } = kindsOf(source)
  const found =
    source === 'tardis'
      ? tardisKind(name)
      : (BINANCE_KINDS.find((kind) => kind.name === name) ?? factKind(name))
  if (found !== undefined) return found
  const why = unsupported.find((kind) => kind.name === name)?.why ?? `${source} has no such kind`
  throw new OperatorError('import_kind', `Files of the kind ${name} cannot be imported: ${why}.`, {
    hint: `Kinds of ${source} that can be: ${supported.map((kind) => kind.name).join(', ')}.`,
  })
}

interface Period {
  readonly from: Day
  /** Exclusive. */
  readonly to: Day
  /** As the file's name has it: 2024-03-29, or 2024-03. */
  readonly name: string
}

/** Months that are whole in the range, and days, in the order of their ends. */
function periodsOf(from: Day, to: Day, is_monthly: boolean): readonly Period[] {
  const periods: Period[] = []
  for (let day = from; day <= to;) {
    const month_end = firstOfNextMonth(day)
    const is_month = is_monthly && day.endsWith('-01') && addDays(month_end, -1) <= to
    const end = is_month ? month_end : addDays(day, 1)
    periods.push({ from: day, to: end, name: is_month ? day.slice(0, 7) : day })
    day = end
  }
  return periods
}

function firstOfMonth(day: Day): Day {
  return `${day.slice(0, 8)}01` as Day
}

function firstOfNextMonth(day: Day): Day {
  const [year, month] = day.split('-').map(Number)
  return new Date(Date.UTC(year!, month!, 1)).toISOString().slice(0, 10) as Day
}

function pathOf(
  { source, exchange }: Wanted,
  kind: AnyKind,
  symbol: string,
  period: Period,
): string {
  const { name } = kind
  if (source === 'binance') {
    const market = BINANCE_MARKETS[exchange]
    if (market === undefined) throw unknownExchange(source, exchange, Object.keys(BINANCE_MARKETS))
    const length = period.name.length === 7 ? 'monthly' : 'daily'
    if (!('facts' in kind) || kind.cadence.interval_s === undefined) {
      return `data/${market}/${length}/${name}/${symbol}/${symbol}-${name}-${period.name}.zip`
    }
    const interval = name.slice('klines_'.length)
    const file = `${symbol}-${interval}-${period.name}.zip`
    return `data/${market}/${length}/${kind.folder}/${symbol}/${interval}/${file}`
  }
  const theirs = Object.entries(TARDIS_EXCHANGES).find(([, ours]) => ours === exchange)?.[0]
  if (theirs === undefined) {
    throw unknownExchange(source, exchange, Object.values(TARDIS_EXCHANGES))
  }
  return `v1/${theirs}/${name}/${period.name.replaceAll('-', '/')}/${symbol}.csv.gz`
}

function unknownExchange(
  source: Source,
  exchange: Exchange,
  known: readonly string[],
): OperatorError {
  return new OperatorError('import_exchange', `${source} has no files of ${exchange}.`, {
    hint: `It has files of ${known.join(', ')}.`,
  })
}

/** How a downloaded file may be named in a folder, besides its path at the source. */
export function localNames({ source, path, kind, from, symbol }: SourceFile): readonly string[] {
  const base = path.split('/').at(-1)!
  if (source === 'binance') return [base, base.replace(/\.zip$/, '.csv')]
  const exchange = path.split('/')[1]!
  const name = `${exchange}_${kind.name}_${from}_${symbol}.csv`
  return [`${name}.gz`, name]
}
