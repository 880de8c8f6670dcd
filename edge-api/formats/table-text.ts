/** Rows as text: values of JSON, lines of NDJSON and of CSV (RFC 4180). */
import { micros, toIso } from '#core/time.ts'
import type { Level } from '#core/market.ts'
import { decimalText, type Decimals } from '../decimal-text.ts'
import type { RangeColumn, Row } from '../range/table.ts'

/** Times in ISO 8601, prices and quantities as decimal text, the rest as it is. */
export type JsonCell = string | number | boolean | null | (readonly [string, string])[]
export type JsonRow = Record<string, JsonCell>

export function jsonRow(row: Row, columns: readonly RangeColumn[], decimals: Decimals): JsonRow {
  return Object.fromEntries(columns.map((column) => [column.name, jsonCell(row, column, decimals)]))
}

export function ndjsonText(
  rows: readonly Row[],
  columns: readonly RangeColumn[],
  decimals: Decimals,
): string {
  return rows.map((row) => `${JSON.stringify(jsonRow(row, columns, decimals))}\n`).join('')
}

/** With a line of column names; an empty field is null, levels are a JSON text. */
export function csvText(
  rows: readonly Row[],
  columns: readonly RangeColumn[],
  decimals: Decimals,
): string {
  const lines = rows.map((row) =>
    columns.map((column) => csvField(jsonCell(row, column, decimals))).join(','),
  )
  return [columns.map(({ name }) => name).join(','), ...lines, ''].join('\r\n')
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
      return (value as readonly Level[]).map(([price, qty]) => [
        decimalText(price, decimals.price_decimals),
        decimalText(qty, decimals.qty_decimals),
      ])
    case 'id':
    case 'number':
    case 'flag':
    case 'text':
      return value as JsonCell
  }
}

function csvField(value: JsonCell): string {
  if (value === null) return ''
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
