/**
 * The Parquet schema of a raw table's file, and the leaves of its columns. Columns are in the order
 * of core/tables.ts, with `symbol` instead of symbol_id.
 */
import type { SchemaElement } from 'hyparquet'
import type { ArchivedColumn, TableShape } from '#core/archived-tables.ts'
import { EXCHANGE_FIELD_ID, fieldIdAt, levelFieldIds } from './field-ids.ts'
import { TEXT, TIMESTAMP_US } from './small-file.ts'

export const SYMBOL_COLUMN = 'symbol'
/** Last column of an archived file, the same in all rows. Files of before 2026-11-28 lack it. */
export const EXCHANGE_COLUMN = 'exchange'

export function schemaOf(table: TableShape, has_exchange: boolean): SchemaElement[] {
  const fields = table.columns.flatMap((column, i) => fieldOf(column, fieldIdAt(i)))
  const exchange: SchemaElement = {
    name: EXCHANGE_COLUMN,
    repetition_type: 'REQUIRED',
    field_id: EXCHANGE_FIELD_ID,
    ...TEXT,
  }
  return [
    { name: 'root', num_children: table.columns.length + (has_exchange ? 1 : 0) },
    ...fields,
    ...(has_exchange ? [exchange] : []),
  ]
}

/** Names of the file's columns, in order. */
export function fileColumns(table: TableShape): readonly string[] {
  return table.columns.map(({ name }) => (name === 'symbol_id' ? SYMBOL_COLUMN : name))
}

/** Paths of a column's leaves: two for levels, otherwise one. */
export function leafPaths(column: ArchivedColumn): readonly (readonly string[])[] {
  const { name, type } = column
  if (type !== 'levels') return [[name]]
  return ['price', 'qty'].map((leaf) => [name, 'list', 'element', leaf])
}

function fieldOf(column: ArchivedColumn, field_id: number): SchemaElement[] {
  const repetition_type = column.nullable ? 'OPTIONAL' : 'REQUIRED'
  const name = column.name === 'symbol_id' ? SYMBOL_COLUMN : column.name
  const common = { name, repetition_type, field_id } as const
  if (name === SYMBOL_COLUMN) return [{ ...common, ...TEXT }]
  switch (column.type) {
    case 'timestamptz':
      return [{ ...common, ...TIMESTAMP_US }]
    case 'int8':
      return [{ ...common, type: 'INT64' }]
    case 'float8':
      return [{ ...common, type: 'DOUBLE' }]
    case 'bool':
      return [{ ...common, type: 'BOOLEAN' }]
    case 'text':
      return [{ ...common, ...TEXT }]
    case 'levels':
      return levelFields(name, field_id)
  }
}

/** A list of (price, qty), in the three-level form of the format's LogicalTypes.md. */
function levelFields(name: string, field_id: number): SchemaElement[] {
  const required = { repetition_type: 'REQUIRED' } as const
  const list = { num_children: 1, converted_type: 'LIST', logical_type: { type: 'LIST' } } as const
  const ids = levelFieldIds(field_id)
  return [
    { name, ...required, field_id, ...list },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    { name: 'element', ...required, field_id: ids.element, num_children: 2 },
    { name: 'price', ...required, field_id: ids.price, type: 'DOUBLE' },
    { name: 'qty', ...required, field_id: ids.qty, type: 'DOUBLE' },
  ]
}
