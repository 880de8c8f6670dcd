/** Rows as JSON: the fields of the tables, times in ISO 8601, prices and quantities as decimals. */
import { decimalText, type Decimals, decimalsIn, roundedText } from '#core/decimal-text.ts'
import { difference, middle } from '#core/decimals.ts'
import type { Gap, Level } from '#core/market.ts'
import { type Column, RAW_TABLES, type RawChannel } from '#core/tables.ts'
import { type Micros, toIso } from '#core/time.ts'

/** Values by column name. Times are microseconds; levels are pairs. */
export type Row = Readonly<Record<string, unknown>>

type CellWriter = (value: unknown, decimals: Decimals) => string

/** The row of a table as a JSON object. */
export function rowText(channel: RawChannel, row: object, decimals: Decimals): string {
  let text = ''
  for (const { prefix, name, write } of WRITERS[channel]) {
    const value = fieldOf(row, name)
    text += prefix + (value === null || value === undefined ? 'null' : write(value, decimals))
  }
  return channel === 'book_ticker' ? `${text}${bestText(row as Row, decimals)}}` : `${text}}`
}

/** A gap as a row of the ledger. `channel` is the tape's name, as in the ledger. */
export function gapText({ from_ts, to_ts, detected_at, ...gap }: Omit<Gap, 'exchange'>): string {
  const { symbol, channel, from_id, to_id, cause } = gap
  return JSON.stringify({
    symbol,
    channel,
    from_ts: toIso(from_ts),
    to_ts: toIso(to_ts),
    from_id,
    to_id,
    cause,
    detected_at: toIso(detected_at),
  })
}

export function levelsText(levels: readonly Level[], decimals: Decimals): string {
  let text = '['
  for (const [index, [price, qty]] of levels.entries()) {
    const price_text = decimalText(price, decimals.price_decimals)
    text += `${index === 0 ? '' : ','}["${price_text}","${decimalText(qty, decimals.qty_decimals)}"]`
  }
  return `${text}]`
}

/** Orders the rows of one record by the table's key. */
export function compareKeys(channel: RawChannel, a: object, b: object): number {
  for (const name of RAW_TABLES[channel].identity) {
    if (name === 'symbol_id') continue
    const [own, other] = [fieldOf(a, name), fieldOf(b, name)] as (number | string)[]
    if (own !== other) return own! < other! ? -1 : 1
  }
  return 0
}

/** The row's key within its symbol. */
export function rowKey(channel: RawChannel, row: object): string {
  const names = RAW_TABLES[channel].identity.slice(1)
  return names.length === 1
    ? String(fieldOf(row, 'ts_exchange'))
    : names.map((name) => String(fieldOf(row, name))).join(' ')
}

/** A market event is also a row: its fields have the names of the columns. */
function fieldOf(row: object, name: string): unknown {
  return (row as Row)[name]
}

interface Field {
  readonly name: string
  readonly prefix: string
  readonly write: CellWriter
}

const WRITERS: { readonly [channel in RawChannel]: readonly Field[] } = {
  book_ticker: fieldsOf('book_ticker'),
  trades: fieldsOf('trades'),
  depth_events: fieldsOf('depth_events'),
  mark_price: fieldsOf('mark_price'),
  liquidations: fieldsOf('liquidations'),
}

function fieldsOf(channel: RawChannel): readonly Field[] {
  return RAW_TABLES[channel].columns
    .filter(({ name }) => name !== 'symbol_id')
    .map((column, index) => ({
      name: column.name,
      prefix: `${index === 0 ? '{' : ','}"${column.name}":`,
      write: writerOf(column),
    }))
}

function writerOf({ type, unit }: Column): CellWriter {
  switch (type) {
    case 'timestamptz':
      return (value) => `"${toIso(value as Micros)}"`
    case 'levels':
      return (value, decimals) => levelsText(value as readonly Level[], decimals)
    case 'text':
      return (value) => JSON.stringify(value)
    case 'float8':
      if (unit === 'quote asset') {
        return (value, { price_decimals }) => `"${decimalText(value as number, price_decimals)}"`
      }
      if (unit === 'base asset') {
        return (value, { qty_decimals }) => `"${decimalText(value as number, qty_decimals)}"`
      }
      return String
    case 'int8':
    case 'bool':
      return String
  }
}

/** `spread` and `mid` of a quote, exact. */
function bestText({ best_bid, best_ask }: Row, { price_decimals }: Decimals): string {
  if (typeof best_bid !== 'number' || typeof best_ask !== 'number') {
    return ',"spread":null,"mid":null'
  }
  const exact = price_decimals === null ? undefined : inTicks(best_bid, best_ask, price_decimals)
  if (exact !== undefined) return exact
  const texts = [best_bid, best_ask].map((price) => decimalText(price, price_decimals))
  const digits = Math.max(...texts.map(decimalsIn))
  const spread = roundedText(difference(best_ask, best_bid), digits)
  return `,"spread":"${spread}","mid":"${roundedText(middle(best_bid, best_ask), digits + 1)}"`
}

/** The same with integers, where both prices are multiples of the tick; else undefined. */
function inTicks(bid: number, ask: number, decimals: number): string | undefined {
  const power = POWERS[decimals]
  if (power === undefined) return undefined
  const [bid_units, ask_units] = [Math.round(bid * power), Math.round(ask * power)]
  const is_exact = bid_units / power === bid && ask_units / power === ask
  if (!is_exact || bid_units + ask_units > UNITS_MAX) return undefined
  const spread = ((ask_units - bid_units) / power).toFixed(decimals)
  const mid = ((ask_units + bid_units) / (2 * power)).toFixed(decimals + 1)
  return `,"spread":"${spread}","mid":"${mid}"`
}

/** Powers of ten that are exact as doubles. */
const POWERS = Array.from({ length: 16 }, (_, digits) => Number(`1e${digits}`))
/** Up to it a double has all digits of the quotient. */
const UNITS_MAX = 1e14
