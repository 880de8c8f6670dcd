/** Rows as text: a JSON page, NDJSON, or CSV (RFC 4180). */
import { micros, toIso } from '#core/time.ts'
import { decimalText, type Decimals } from '#core/decimal-text.ts'
import type { RangeColumn, Row } from '../tables/table.ts'
import { Utf8Text } from './utf8.ts'

/** Times are ISO 8601, prices and quantities decimal text; other values are unchanged. */
export type JsonCell = string | number | boolean | null | (readonly [string, string])[]
export type JsonRow = Record<string, JsonCell>

export function jsonRow(row: Row, columns: readonly RangeColumn[], decimals: Decimals): JsonRow {
  return Object.fromEntries(columns.map((column) => [column.name, jsonCell(row, column, decimals)]))
}

/** `head` holds the fields before `rows`. */
export function jsonText(
  head: Readonly<Record<string, unknown>>,
  rows: readonly Row[],
  columns: readonly RangeColumn[],
  decimals: Decimals,
): Uint8Array<ArrayBuffer> {
  const text = new Utf8Text()
  text.add(`${JSON.stringify(head).slice(0, -1)},"rows":[`)
  for (const [i, row] of rows.entries()) {
    text.add(`${i === 0 ? '' : ','}${JSON.stringify(jsonRow(row, columns, decimals))}`)
  }
  text.add(']}')
  return text.bytes()
}

export function ndjsonText(
  rows: readonly Row[],
  columns: readonly RangeColumn[],
  decimals: Decimals,
): Uint8Array<ArrayBuffer> {
  const text = new Utf8Text()
  for (const row of rows) text.add(`${JSON.stringify(jsonRow(row, columns, decimals))}\n`)
  return text.bytes()
}

/** Starts with a header line. An empty field is null; levels are JSON. */
export function csvText(
  rows: readonly Row[],
  columns: readonly RangeColumn[],
  decimals: Decimals,
): Uint8Array<ArrayBuffer> {
  const text = new Utf8Text()
  text.add(`${columns.map(({ name }) => name).join(',')}\r\n`)
  for (const row of rows) {
    const fields = columns.map((column) => csvField(jsonCell(row, column, decimals)))
    text.add(`${fields.join(',')}\r\n`)
  }
  return text.bytes()
}

function jsonCell(row: Row, column: RangeColumn, decimals: Decimals): JsonCell {
  if (column.derived !== undefined) return column.derived.text(row, decimals)
  const value = row[column.name] ?? null
  if (value === null) return null
  switch (column.kind) {
    case 'time':
      return toIso(micros(value as number))
    case 'price':
      return decimalText(value as number, decimals.price_decimals)
    case 'qty':
      return decimalText(value as number, decimals.qty_decimals)
    case 'levels':
      return levelTexts(value as Float64Array, decimals)
    case 'id':
    case 'number':
    case 'flag':
    case 'text':
      return value as JsonCell
  }
}

function levelTexts(
  numbers: Float64Array,
  { price_decimals, qty_decimals }: Decimals,
): (readonly [string, string])[] {
  return Array.from({ length: numbers.length / 2 }, (_, i) => [
    decimalText(numbers[2 * i]!, price_decimals),
    decimalText(numbers[2 * i + 1]!, qty_decimals),
  ])
}

function csvField(value: JsonCell): string {
  if (value === null) return ''
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
