/** Which files a range of days has at a source, and how they are named there. */
import { OperatorError } from '#core/errors.ts'
import type { Exchange } from '#core/symbols.ts'
import { addDays, type Day } from '#core/time.ts'
import { BINANCE_KINDS, BINANCE_UNSUPPORTED } from './binance.ts'
import type { FileKind, SourceFile, Unsupported } from './kind.ts'
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
  const { source, exchange, symbols, from, to, is_monthly } = wanted
  const kinds = wanted.kinds.map((name) => kindOf(source, name))
  if (source === 'tardis' && kinds.some(({ table }) => table === 'trades')) refuseTrades(exchange)
  return periodsOf(from, to, source === 'binance' && is_monthly).flatMap((period) =>
    symbols.flatMap((symbol) =>
      kinds.map((kind) => ({
        source,
        exchange,
        symbol,
        kind,
        from: period.from,
        to: period.to,
        path: pathOf(wanted, kind, symbol, period),
      })),
    ),
  )
}

function refuseTrades(exchange: Exchange): void {
  if (TARDIS_TRADES.includes(exchange)) return
  throw new OperatorError(
    'import_kind',
    `Trades of ${exchange} cannot be imported: the files have other ids than its live stream.`,
    { hint: `Trades of ${TARDIS_TRADES.join(' and ')} can be.` },
  )
}

export function kindsOf(source: Source): {
  readonly supported: readonly FileKind[]
  readonly unsupported: readonly Unsupported[]
} {
  return source === 'binance'
    ? { supported: BINANCE_KINDS, unsupported: BINANCE_UNSUPPORTED }
    : { supported: TARDIS_KINDS, unsupported: TARDIS_UNSUPPORTED }
}

function kindOf(source: Source, name: string): FileKind {
  const { supported, unsupported } = kindsOf(source)
  const found =
    source === 'tardis' ? tardisKind(name) : supported.find((kind) => kind.name === name)
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

function firstOfNextMonth(day: Day): Day {
  const [year, month] = day.split('-').map(Number)
  return new Date(Date.UTC(year!, month!, 1)).toISOString().slice(0, 10) as Day
}

function pathOf(
  { source, exchange }: Wanted,
  { name }: FileKind,
  symbol: string,
  period: Period,
): string {
  if (source === 'binance') {
    const market = BINANCE_MARKETS[exchange]
    if (market === undefined) throw unknownExchange(source, exchange, Object.keys(BINANCE_MARKETS))
    const length = period.name.length === 7 ? 'monthly' : 'daily'
    return `data/${market}/${length}/${name}/${symbol}/${symbol}-${name}-${period.name}.zip`
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
