/** What the parsers of foreign files have in common. */
import type { FactTable } from '#core/fact-tables.ts'
import type { Exchange } from '#core/symbols.ts'
import type { RawChannel } from '#core/tables.ts'
import type { Day } from '#core/time.ts'
import type { Cadence } from '../facts/cadence.ts'

export type Cell = number | string | boolean | null | readonly (readonly [number, number])[]

export type Parsed =
  | {
      readonly kind: 'row'
      /** Microseconds since 1970. */
      readonly ts_exchange: number
      /** Where ids count the events of a stream: the id. */
      readonly id: number | null
      /** Of an aggregate of trades: its first and last trade, which count too. */
      readonly fills?: readonly [first: number, last: number] | undefined
      /** Columns of the table in order, without symbol_id. */
      readonly cells: readonly Cell[]
    }
  /** An id that is not a trade (decision 13), or a line without a value. */
  | { readonly kind: 'void'; readonly id: number | null }
  | { readonly kind: 'rejected'; readonly reason: string }

/** How rows are told apart from those that were recorded. */
export type Identity =
  /** The exchange's id and the millisecond. */
  | 'id'
  /** The table's key. */
  | 'key'
  /** The file has no id. Rows fill gaps, and seconds in which nothing was recorded. */
  | 'seconds'
  /** A book is a chain. Rows fill only hours in which nothing was recorded. */
  | 'hours'

export interface FileKind {
  /** As the source names it: aggTrades. */
  readonly name: string
  readonly table: RawChannel
  readonly identity: Identity
  /** True if the file has no time of receipt, so that ts_ingest equals ts_exchange. */
  readonly is_stamped_once: boolean
  /** True if ids go up by one, so that a missing one is noticed. */
  readonly ids_are_consecutive: boolean
  /** Silence that is reported as missing [us]; for streams whose ids do not count. */
  readonly silence_us: number | undefined
  /** Of trades: whether a row is an aggregate of trades. */
  readonly trades_are?: 'aggregated' | 'single'
  /** A parser for one file; it may look at its first line. */
  createParser(): LineParser
}

export interface LineParser {
  /** Rows that the line completes. */
  parse(line: string): readonly Parsed[]
  /** Rows that the end of the file completes. */
  end(): readonly Parsed[]
}

export interface Unsupported {
  readonly name: string
  /** For people: why it cannot be imported. */
  readonly why: string
}

/**
 * Files whose rows no stream records. Their tables are written by imports alone: what the newest
 * version of a file says is what the table has.
 */
export interface FactKind {
  /** As people name it: klines_1m. */
  readonly name: string
  readonly facts: FactTable
  /** As the source names it in paths. */
  readonly folder: string
  /** The source has whole months only. */
  readonly is_monthly_only: boolean
  readonly cadence: Cadence
  /** Cells of rows are those of the columns. */
  createParser(): LineParser
}

/** Where a file comes from. */
interface FileOf<Kind> {
  readonly source: 'binance' | 'tardis'
  readonly exchange: Exchange
  readonly symbol: string
  readonly kind: Kind
  /** The UTC days that it is of. */
  readonly from: Day
  readonly to: Day
  /** Its name at the source, which identifies it. */
  readonly path: string
}

export type RawFile = FileOf<FileKind>
export type FactFile = FileOf<FactKind>
export type SourceFile = RawFile | FactFile

export function isFactFile(file: SourceFile): file is FactFile {
  return 'facts' in file.kind
}

/** A price, quantity or rate; undefined if the text is not a number. */
export function numberOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/.test(text)) return undefined
  const value = Number(text)
  return Number.isFinite(value) ? value : undefined
}

/** A whole number that a double holds exactly. */
export function idOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,16}$/.test(text)) return undefined
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : undefined
}

export function rejected(reason: string): readonly Parsed[] {
  return [{ kind: 'rejected', reason }]
}
