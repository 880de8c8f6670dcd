/**
 * The Parquet schema of a raw table's file, and the leaves of its columns. Columns are in the order
 * of core/tables.ts, with `symbol` instead of symbol_id.
 */
import type { SchemaElement } from 'hyparquet'
import type { ArchivedColumn, TableShape } from '#core/archived-tables.ts'
import { TEXT, TIMESTAMP_US } from './small-file.ts'

export const SYMBOL_COLUMN = 'symbol'

export function schemaOf(table: TableShape): SchemaElement[] {
  const fields = table.columns.flatMap(fieldOf)
  return [{ name: 'root', num_children: table.columns.length }, ...fields]
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

function fieldOf(column: ArchivedColumn): SchemaElement[] {
  const { name, nullable } = column
  const repetition_type = nullable ? 'OPTIONAL' : 'REQUIRED'
  if (name === 'symbol_id') return [{ name: SYMBOL_COLUMN, repetition_type, ...TEXT }]
  switch (column.type) {
    case 'timestamptz':
      return [{ name, repetition_type, ...TIMESTAMP_US }]
    case 'int8':
      return [{ name, repetition_type, type: 'INT64' }]
    case 'float8':
      return [{ name, repetition_type, type: 'DOUBLE' }]
    case 'bool':
      return [{ name, repetition_type, type: 'BOOLEAN' }]
    case 'text':
      return [{ name, repetition_type, ...TEXT }]
    case 'levels':
      return levelFields(name)
  }
}

/** A list of (price, qty), in the three-level form of the format's LogicalTypes.md. */
function levelFields(name: string): SchemaElement[] {
  const required = { repetition_type: 'REQUIRED' } as const
  return [
    { name, ...required, num_children: 1, converted_type: 'LIST', logical_type: { type: 'LIST' } },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    { name: 'element', ...required, num_children: 2 },
    { name: 'price', ...required, type: 'DOUBLE' },
    { name: 'qty', ...required, type: 'DOUBLE' },
  ]
}
